"""The rights of the chart's service account, proven by the API server's audit log: each is used, and none is missing.

The real operator runs with the arguments that the chart gives it and with a token of the chart's account, while a
Deployment and a StatefulSet follow their demand.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from audit import Right, asked
from engines import Engines, deployment, engines
from installed import Installed, autoscaler, conditions, may, operating, stateful_set
from podlike import CAN_BUILD_A_CELL

from foretide.cli.bed.bed import Bed
from foretide.operator.actuate import CHEAP
from foretide.operator.credentials import from_kubeconfig
from foretide.operator.gates import AWAKE, Nap
from foretide.operator.kube import Kubernetes
from foretide.operator.pods import DELETION_COST
from foretide.operator.seams import ClusterError

pytestmark = pytest.mark.bed


def replicas(farm: Engines, kind: str) -> int:
    return int(farm.bed.get("-n", farm.namespace, kind, "llama")["spec"]["replicas"])


def test_each_right_is_used_and_none_is_missing(
    bed: Bed, installation: Callable[..., Installed], audit_log: Path
) -> None:
    installed = installation()
    for name in ("rights-deployment", "rights-stateful"):
        bed.add_namespace(name)
    bed.apply(deployment(replicas=2), autoscaler(), namespace="rights-deployment")
    bed.apply(stateful_set(), autoscaler("StatefulSet"), namespace="rights-stateful")
    with (
        engines(bed, "rights-deployment", rate=1.0) as one,
        engines(bed, "rights-stateful", rate=4.0) as two,
        operating(installed) as running,
    ):
        running.until(lambda: bool(bed.get("-n", one.namespace, "infa", "llama").get("status", {}).get("lastDecision")))
        one.rate = 4.0
        running.until(lambda: replicas(one, "deployment") >= 6 and replicas(two, "statefulset") >= 6)
        high = replicas(one, "deployment")
        one.rate = 0.5
        running.until(lambda: replicas(one, "deployment") < high)
        for farm, kind in ((one, "deployment"), (two, "statefulset")):
            bed.kubectl("scale", "-n", farm.namespace, f"{kind}/llama", "--replicas=1")
            right = Right("get", "apps", f"{kind}s")
            running.until(lambda right=right: right in asked(audit_log, installed.user).allowed)  # type: ignore[misc]
        lease = bed.get("-n", installed.namespace, "lease", "foretide-operator")["spec"]
        events = bed.get("-n", one.namespace, "events")["items"]
    used = asked(audit_log, installed.user)
    assert lease["holderIdentity"]
    assert "Scaled" in {event["reason"] for event in events}
    assert used.refused == frozenset()
    assert sorted(used.allowed) == sorted(installed.rules())
    for name in (one.namespace, two.namespace):
        bed.kubectl("delete", "namespace", name, "--wait=false")


def test_in_given_namespaces_the_same_rights_do_and_elsewhere_there_are_none(
    bed: Bed, installation: Callable[..., Installed], audit_log: Path
) -> None:
    bed.add_namespace("rights-inside")
    installed = installation(namespaces=["rights-inside"])
    bed.apply(deployment(replicas=2), autoscaler(mode="Recommend"), namespace="rights-inside")
    with operating(installed) as running:
        running.until(lambda: "TargetResolved" in conditions(bed, "rights-inside"))
        resolved = conditions(bed, "rights-inside")["TargetResolved"]
    assert resolved["status"] == "True"
    assert asked(audit_log, installed.user).refused == frozenset()
    assert may(bed, installed, "list", "pods", namespace="rights-inside")
    for namespace in ("default", "kube-system", installed.namespace):
        assert not may(bed, installed, "list", "pods", namespace=namespace)
    bed.kubectl("delete", "namespace", "rights-inside", "--wait=false")


def test_a_kind_that_is_no_target_of_the_chart_is_left_alone_and_the_fix_is_named(
    bed: Bed, installation: Callable[..., Installed], namespace: str
) -> None:
    installed = installation(targets={"apps": ["statefulsets"]})
    bed.apply(deployment(replicas=2), autoscaler(), namespace=namespace)
    with operating(installed) as running:
        running.until(lambda: "TargetResolved" in conditions(bed, namespace))
        resolved = conditions(bed, namespace)["TargetResolved"]
    assert (resolved["status"], resolved["reason"]) == ("False", "Forbidden")
    assert "name its kind in the chart's `targets`" in resolved["message"]


STATUS_MEDDLING: list[dict[str, object]] = [
    {"conditions": [{"type": "Ready", "status": "False"}]},
    {"conditions": [{"type": "other", "status": "True"}]},
    {"phase": "Failed"},
    {"reason": "x"},
    {"nominatedNodeName": "elsewhere"},
    {"message": "x"},
]


async def test_of_a_pods_status_it_may_change_its_own_condition_and_nothing_else_and_only_where_it_is_asked_for(
    bed: Bed, installation: Callable[..., Installed], namespace: str
) -> None:
    installed = installation(sleep={"enabled": True})
    bed.apply(deployment(replicas=1), namespace=namespace)
    bed.kubectl("rollout", "status", "-n", namespace, "deployment/llama", "--timeout=30s")
    pod = bed.get("-n", namespace, "pods", "-l", "app=llama")["items"][0]["metadata"]["name"]
    path, patch = f"/api/v1/namespaces/{namespace}/pods/{pod}/status", "application/strategic-merge-patch+json"
    async with Kubernetes(from_kubeconfig(installed.kubeconfig())) as cluster:
        for nap in (Nap.DROWSY, Nap.ASLEEP, Nap.AWAKE):
            await cluster.set_nap(namespace, pod, nap, at=1_800_000_000.0)
        for status in STATUS_MEDDLING:
            with pytest.raises(ClusterError, match="may change nothing of a pod's status but its condition"):
                await cluster.call("PATCH", path, json={"status": status}, content_type=patch)
    conditions = bed.get("-n", namespace, "pod", pod)["status"]["conditions"]
    assert {one["type"]: one["reason"] for one in conditions if one["type"] == AWAKE} == {AWAKE: "Awake"}


async def test_without_sleep_it_may_not_touch_a_pods_status(
    bed: Bed, installation: Callable[..., Installed], namespace: str
) -> None:
    installed = installation()
    assert not may(bed, installed, "patch", "pods/status", namespace=namespace)


MEDDLING = [
    {"spec": {"containers": [{"name": "engine", "image": "evil"}]}},
    {"spec": {"activeDeadlineSeconds": 1}},
    {"metadata": {"labels": {"app": "other"}}},
    {"metadata": {"annotations": {"other": "x"}}},
    {"metadata": {"annotations": {"kept": None}}},
    {"metadata": {"annotations": {"kept": "y"}}},
    {"metadata": {"finalizers": ["example.com/stay"]}},
    {"metadata": {"ownerReferences": None}},
]


async def test_of_a_pod_it_may_change_the_deletion_cost_and_nothing_else(
    bed: Bed, installation: Callable[..., Installed], namespace: str
) -> None:
    installed = installation()
    bed.apply(deployment(replicas=1), namespace=namespace)
    bed.kubectl("rollout", "status", "-n", namespace, "deployment/llama", "--timeout=30s")
    pod = bed.get("-n", namespace, "pods", "-l", "app=llama")["items"][0]["metadata"]["name"]
    bed.kubectl("annotate", "-n", namespace, "pod", pod, "kept=x")
    path, patch = f"/api/v1/namespaces/{namespace}/pods/{pod}", "application/strategic-merge-patch+json"
    async with Kubernetes(from_kubeconfig(installed.kubeconfig())) as cluster:
        for cost in (CHEAP, None, CHEAP):
            await cluster.annotate_pod(namespace, pod, {DELETION_COST: cost})
        for body in MEDDLING:
            with pytest.raises(ClusterError, match="may change nothing of a pod but its annotation"):
                await cluster.call("PATCH", path, json=body, content_type=patch)
    found = bed.get("-n", namespace, "pod", pod)["metadata"]["annotations"]
    assert (found[DELETION_COST], found["kept"]) == (CHEAP, "x")


INFA = "inferenceautoscalers.autoscaling.foretide.io"
NEVER = [
    ("get", "secrets"), ("list", "secrets"), ("get", "configmaps"), ("delete", "pods"), ("create", "pods"),
    ("create", "pods/exec"), ("get", "pods/log"), ("patch", "deployments.apps"), ("delete", "deployments.apps"),
    ("update", "deployments.apps/scale"), ("patch", "replicasets.apps/scale"), ("create", "leases.coordination.k8s.io"),
    ("patch", INFA), ("delete", INFA), ("delete", "events"), ("create", "serviceaccounts/token"), ("get", "nodes"),
    ("escalate", "clusterroles.rbac.authorization.k8s.io"), ("impersonate", "users"),
    ("create", "horizontalpodautoscalers.autoscaling"),
]  # fmt: skip


def test_what_an_autoscaler_has_no_business_with_is_not_granted(
    bed: Bed, installation: Callable[..., Installed]
) -> None:
    installed = installation()
    assert not [right for right in installed.rules() if "*" in (right.verb, right.group, right.resource)]
    assert [right for right in NEVER if may(bed, installed, *right, namespace=installed.namespace)] == []
    assert may(bed, installed, "patch", "deployments.apps/scale", namespace="default")


@pytest.mark.skipif(not CAN_BUILD_A_CELL, reason="only root may mount a read-only root")
def test_the_surroundings_of_its_pod_are_enough_for_the_operator(
    bed: Bed, installation: Callable[..., Installed], namespace: str
) -> None:
    installed = installation()
    bed.apply(deployment(replicas=2), autoscaler(model="meta-llama/Llama-3.1-8B-Instruct"), namespace=namespace)
    with operating(installed, in_a_cell=True) as running:
        cache = Path(f"/proc/{running.process.pid}/root/var/cache/foretide")
        running.until(lambda: bool(bed.get("-n", namespace, "infa", "llama").get("status", {}).get("conditions")))
        running.until(lambda: any(cache.rglob("*.json")))
        lease = bed.get("-n", namespace, "lease", "foretide-operator")["spec"]
        installed.upgrade(operator__replicas=3)
        upgraded = bed.get("-n", namespace, "lease", "foretide-operator")["spec"]
        log = running.log.read_text()
    assert lease["holderIdentity"]
    assert upgraded["holderIdentity"] == lease["holderIdentity"]
    assert upgraded["leaseTransitions"] == lease["leaseTransitions"]
    assert "Read-only file system" not in log
    assert "Traceback" not in log
