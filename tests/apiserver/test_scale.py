"""Our own client against a real API server: conditional writes of /scale, discovery, paging, refusals."""

import json
from collections.abc import AsyncIterator

import pytest
from engines import deployment

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import wait_for
from foretide.operator.actuate import Marks, Outcome, actuate
from foretide.operator.credentials import Credentials, from_kubeconfig
from foretide.operator.kube import Kubernetes
from foretide.operator.look import Look, Looker, Unresolved
from foretide.operator.registry import Registry
from foretide.operator.resource import Resource, parse
from foretide.operator.seams import ClusterError, Key, NotScalable, TargetRef, Written
from foretide.policies.flow import Order

pytestmark = pytest.mark.bed
LLAMA = TargetRef("apps/v1", "Deployment", "llama")


def leads() -> bool:
    return True


@pytest.fixture
async def cluster(with_crd: Bed) -> AsyncIterator[Kubernetes]:
    async with Kubernetes(from_kubeconfig(with_crd.kubeconfig)) as client:
        yield client


def stand_still(bed: Bed, namespace: str, kind: str = "deployment") -> None:
    """Waits until the target's own controller has written its status, which moves the target too."""
    versions = [""]

    def still() -> bool:
        found = bed.get("-n", namespace, kind, "llama")
        versions.append(found["metadata"]["resourceVersion"])
        told = found.get("status", {})
        seen = told.get("observedGeneration") == found["metadata"]["generation"]
        grown = kind != "deployment" or told.get("replicas", 0) == found["spec"]["replicas"]
        return seen and grown and len(versions) > 5 and len(set(versions[-5:])) == 1

    wait_for(still, what=f"a {kind} that stands still")


def autoscaler(namespace: str, **target: str) -> Resource:
    parsed = parse(
        {
            "metadata": {"namespace": namespace, "name": "llama", "uid": "1", "generation": 1},
            "spec": {
                "model": "llama",
                "objective": {"ttft": {"threshold": "500ms"}},
                "pools": [{"targetRef": {"name": "llama"} | target, "accelerator": "H100", "maxReplicas": 9}],
            },
        }
    )
    assert parsed.resource is not None
    return parsed.resource


async def test_a_write_on_fresh_evidence_goes_through_under_our_name(
    with_crd: Bed, namespace: str, cluster: Kubernetes
) -> None:
    with_crd.apply(deployment(), namespace=namespace)
    stand_still(with_crd, namespace)
    scale = await cluster.scale(namespace, LLAMA)
    assert (scale.replicas, scale.selector) == (2, "app=llama")
    done = await cluster.write_scale(namespace, LLAMA, replicas=5, version=scale.version)
    assert done is Written.DONE
    stored = with_crd.get("-n", namespace, "deployment", "llama", "--show-managed-fields")
    assert stored["spec"]["replicas"] == 5
    ours = [entry for entry in stored["metadata"]["managedFields"] if entry["manager"] == "foretide"]
    assert [entry["subresource"] for entry in ours] == ["scale"]
    assert ours[0]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


async def test_a_write_on_stale_evidence_is_a_conflict_and_changes_nothing(
    with_crd: Bed, namespace: str, cluster: Kubernetes
) -> None:
    with_crd.apply(deployment(), namespace=namespace)
    resource, looker = autoscaler(namespace), Looker(cluster, Registry())
    look = await looker.look(resource)
    assert isinstance(look, Look)
    with_crd.kubectl("scale", "-n", namespace, "deployment/llama", "--replicas=4")
    order = Order("main", 2, 3, look.scale.version)
    stale = await actuate(cluster, leads=leads, resource=resource, pool=look.pool(resource), order=order)
    assert stale.outcome is Outcome.MOVED
    assert (await cluster.scale(namespace, LLAMA)).replicas == 4
    stand_still(with_crd, namespace)
    again = await looker.look(resource)
    assert isinstance(again, Look)
    fresh = Order("main", 4, 3, again.scale.version)
    assert (
        await actuate(cluster, leads=leads, resource=resource, pool=again.pool(resource), order=fresh)
    ).outcome is Outcome.DONE
    assert (await cluster.scale(namespace, LLAMA)).replicas == 3


async def test_the_marked_pods_are_those_that_kubernetes_removes(
    with_crd: Bed, namespace: str, cluster: Kubernetes
) -> None:
    with_crd.add_gpu_nodes(1, gpus=8)
    with_crd.apply(deployment(replicas=4), namespace=namespace)
    with_crd.kubectl("-n", namespace, "rollout", "status", "deployment/llama", "--timeout=60s")
    stand_still(with_crd, namespace)
    resource, looker = autoscaler(namespace), Looker(cluster, Registry())
    look = await looker.look(resource)
    assert isinstance(look, Look)
    names = sorted(look.ready_pods())
    assert len(names) == 4
    order = Order("main", 4, 2, look.scale.version)
    marks = Marks(victims=(names[0], names[2]))
    done = await actuate(cluster, leads=leads, resource=resource, pool=look.pool(resource), order=order, marks=marks)
    assert done.outcome is Outcome.DONE

    def left() -> set[str]:
        pods = with_crd.get("-n", namespace, "pods", "-l", "app=llama")["items"]
        return {pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}

    wait_for(lambda: len(left()) == 2, what="two pods to go")
    assert left() == {names[1], names[3]}


async def test_a_deployment_of_zero_is_read_as_zero(with_crd: Bed, namespace: str, cluster: Kubernetes) -> None:
    with_crd.apply(deployment(replicas=0), namespace=namespace)
    assert (await cluster.scale(namespace, LLAMA)).replicas == 0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"name": "nobody"}, "TargetNotFound"),
        ({"kind": "DaemonSet"}, "TargetNotScalable"),
        ({"kind": "Nonsense"}, "TargetNotScalable"),
        ({"apiVersion": "v1", "kind": "Service"}, "TargetNotScalable"),
        ({"apiVersion": "nobody.example.com/v1"}, "TargetNotFound"),
    ],
)
async def test_a_target_that_cannot_be_scaled_is_told_apart(
    namespace: str, cluster: Kubernetes, target: dict[str, str], reason: str
) -> None:
    found = await Looker(cluster, Registry()).look(autoscaler(namespace, **target))
    assert isinstance(found, Unresolved)
    assert found.reason == reason
    assert found.message.startswith("pools[0].targetRef: ")


async def test_any_kind_with_a_scale_subresource_can_be_a_target(
    with_crd: Bed, namespace: str, cluster: Kubernetes
) -> None:
    body = deployment()
    body["kind"] = "StatefulSet"
    body["spec"]["serviceName"] = "llama"
    with_crd.apply(body, namespace=namespace)
    stand_still(with_crd, namespace, "statefulset")
    ref = TargetRef("apps/v1", "StatefulSet", "llama")
    scale = await cluster.scale(namespace, ref)
    assert await cluster.write_scale(namespace, ref, replicas=3, version=scale.version) is Written.DONE


async def test_an_hpa_on_the_target_is_a_conflict_and_no_keda_is_no_error(
    with_crd: Bed, namespace: str, cluster: Kubernetes
) -> None:
    with_crd.apply(deployment(), namespace=namespace)
    with_crd.kubectl("autoscale", "-n", namespace, "deployment/llama", "--min=1", "--max=3")
    look = await Looker(cluster, Registry()).look(autoscaler(namespace))
    assert isinstance(look, Look)
    assert "HorizontalPodAutoscaler llama scales Deployment llama too" in look.conflict


async def test_a_list_longer_than_a_page_is_whole(
    with_crd: Bed, namespace: str, cluster: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretide.operator.kube.PAGE", 2)
    with_crd.apply(*(deployment(f"d{i}", replicas=0) for i in range(5)), namespace=namespace)
    found = await cluster._list(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    assert len(found) == 5


async def test_a_status_that_shrinks_leaves_nothing_behind(with_crd: Bed, namespace: str, cluster: Kubernetes) -> None:
    body = {
        "apiVersion": "autoscaling.foretide.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "llama"},
        "spec": {
            "model": "llama",
            "objective": {"ttft": {"threshold": "500ms"}},
            "pools": [{"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 9}],
        },
    }
    with_crd.apply(body, namespace=namespace)
    key = Key(namespace, "llama")
    await cluster.write_status(key, {"lastDecision": {"reason": "Steady", "binding": "ttft"}})
    await cluster.write_status(key, {"lastDecision": {"binding": None}})
    stored = await cluster.autoscaler(key)
    assert stored["status"]["lastDecision"] == {"reason": "Steady"}
    assert json.dumps(stored).count("finalizers") == 0


async def test_a_wrong_token_is_a_refusal_with_its_status(with_crd: Bed) -> None:
    right = from_kubeconfig(with_crd.kubeconfig)
    wrong = Credentials(right.server, ca_data=right.ca_data, insecure=right.insecure, token="nobody")
    async with Kubernetes(wrong) as client:
        with pytest.raises(ClusterError) as refusal:
            await client.autoscalers()
    assert refusal.value.status == 401


async def test_nobody_there_is_an_error_without_a_status() -> None:
    async with Kubernetes(Credentials("http://127.0.0.1:1")) as client:
        with pytest.raises(ClusterError) as refusal:
            await client.autoscalers()
    assert refusal.value.status == 0
    assert not isinstance(refusal.value, NotScalable)
