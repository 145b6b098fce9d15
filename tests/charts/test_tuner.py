"""The tuner as the chart installs it: off by default, with an account of its own that has what it needs and no more."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from audit import asked, granted
from engines import deployment
from helm import LEAST, Helm, HelmFailed, one, with_
from installed import Installed, Operating, autoscaler
from tuned_engines import BEST, tuned_engines

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

pytestmark = pytest.mark.bed
KNOBS = {"core": ["configmaps"], "apps": ["deployments"]}
TUNED = with_(LEAST, tuner={"enabled": True, "knobs": KNOBS}, networkPolicy__enabled=True)


def test_it_is_off_by_default(helm: Helm) -> None:
    assert not [body for body in helm.rendered(LEAST) if "tuner" in body["metadata"]["name"]]


def test_it_has_an_account_of_its_own_that_may_write_what_is_named_and_nothing_else(helm: Helm) -> None:
    objects = helm.rendered(TUNED)
    pod = one(objects, "Deployment", "foretide-tuner")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "foretide-tuner"
    rights = granted(one(objects, "ClusterRole", "foretide-tuner")["rules"])
    writes = {(right.group, right.resource) for right in rights if right.verb not in ("get", "list")}
    status, events = ("autoscaling.foretide.io", "inferenceautoscalers/status"), ("", "events")
    assert writes == {("", "configmaps"), ("apps", "deployments"), status, events}
    operator = granted(one(objects, "ClusterRole", "foretide-operator")["rules"])
    looked_at = {right for right in operator if right.resource in ("configmaps", "deployments")}
    assert {(right.resource, right.verb) for right in looked_at} == {("deployments", "get")}


def test_its_policy_lets_it_reach_the_api_server_and_the_sources(helm: Helm) -> None:
    policy = one(helm.rendered(TUNED), "NetworkPolicy", "foretide-tuner")["spec"]
    assert {entry["port"] for rule in policy["egress"] for entry in rule["ports"]} == {53, 443, 6443, 9090}


def test_in_given_namespaces_it_has_a_role_in_each(helm: Helm) -> None:
    objects = helm.rendered(with_(TUNED, namespaces=["a", "b"]))
    roles = {body["metadata"]["namespace"] for body in objects
             if (body["kind"], body["metadata"]["name"]) == ("Role", "foretide-tuner")}  # fmt: skip
    assert roles == {"a", "b"}
    (container,) = one(objects, "Deployment", "foretide-tuner")["spec"]["template"]["spec"]["containers"]
    assert {"--namespace=a", "--namespace=b"} <= set(container["args"])


def test_without_a_kind_that_it_may_write_it_is_not_installed(helm: Helm) -> None:
    with pytest.raises(HelmFailed, match=r"tuner\.knobs: none given; name what holds the numbers"):
        helm.rendered(with_(LEAST, tuner__enabled=True))


ENDPOINT = {
    "address": "https://gateway-admin.{namespace}.svc:8443/v1/limits/{name}",
    "field": "limits.maxRequests",
    "method": "PATCH",
    "ca": {"configMap": "gateway-ca", "key": "ca.crt"},
    "token": {"secret": "gateway-token", "key": "token"},
}


def test_an_endpoint_is_allowed_with_its_field_its_token_and_a_way_out(helm: Helm) -> None:
    values = with_(LEAST, tuner={"enabled": True, "endpoints": {"gateway": ENDPOINT}}, networkPolicy__enabled=True)
    objects = helm.rendered(values)
    pod = one(objects, "Deployment", "foretide-tuner")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {
        "--endpoint=gateway=https://gateway-admin.{namespace}.svc:8443/v1/limits/{name}",
        "--endpoint-field=gateway=limits.maxRequests",
        "--endpoint-method=gateway=PATCH",
        "--endpoint-ca=gateway=/etc/foretide/endpoints/gateway/ca/ca.crt",
        "--endpoint-token=gateway=/etc/foretide/endpoints/gateway/token/token",
    } <= set(container["args"])
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert {"endpoint-ca-gateway", "endpoint-token-gateway"} <= mounted <= {each["name"] for each in pod["volumes"]}
    policy = one(objects, "NetworkPolicy", "foretide-tuner")["spec"]
    assert 8443 in {entry["port"] for rule in policy["egress"] for entry in rule["ports"]}


def test_an_endpoint_for_everybody_is_refused(helm: Helm) -> None:
    endpoints = {"gateway": {"address": "http://gateway-admin:8001/limit"}}
    with pytest.raises(HelmFailed, match=r"tuner\.endpoints\.gateway\.namespaces: none given; name who may use it"):
        helm.rendered(with_(LEAST, tuner={"enabled": True, "endpoints": endpoints}))


@pytest.mark.parametrize("kind", ["secrets", "roles", "deployments/scale", "*"])
def test_what_it_must_never_write_cannot_be_named(helm: Helm, kind: str) -> None:
    with pytest.raises(HelmFailed, match="/tuner/knobs/core/0"):
        helm.rendered(with_(LEAST, tuner={"enabled": True, "knobs": {"core": [kind]}}))


@contextmanager
def tuning(installed: Installed) -> Iterator[Operating]:
    """The chart's tuner, with its arguments and a token of its account; its probes answer."""
    bed, port = installed.bed, free_port()
    pod = bed.get("-n", installed.namespace, "deployment/foretide-tuner")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    here = {"--health=0.0.0.0:8082": f"--health=127.0.0.1:{port}"}
    arguments = [here.pop(argument, argument) for argument in container["args"]]
    assert not here
    token = bed.kubectl("create", "token", "-n", installed.namespace, "foretide-tuner", "--duration=10m").strip()
    config = yaml.safe_load(bed.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path, log = installed.folder / "tuner.kubeconfig", installed.folder / "tuner.log"
    path.write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).with_name("foretide")), *arguments]
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=os.environ | {"KUBECONFIG": str(path)}, stdout=file, stderr=file)
    try:
        yield Operating(process, log)
        for probe in ("livenessProbe", "readinessProbe"):
            address = f"http://127.0.0.1:{port}{container[probe]['httpGet']['path']}"
            with urllib.request.urlopen(address, timeout=5) as page:
                assert page.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)


def resource(knob: dict[str, Any]) -> dict[str, Any]:
    objective = {"ttft": {"threshold": "250ms"}, "tpot": {"threshold": "50ms"}}
    return autoscaler(model="Llama-3.1-8B", objective=objective, concurrency={"knob": knob, "min": 8, "max": 256})


def test_each_right_is_used_and_none_is_missing(
    bed: Bed, installation: Callable[..., Installed], audit_log: Path
) -> None:
    installed = installation(tuner={"enabled": True, "window": "6s", "knobs": KNOBS}, targets={"apps": ["deployments"]})
    container = {"name": "engine", "image": "engine", "args": ["--max-num-seqs=100"]}
    body = deployment(replicas=3)
    body["spec"]["template"]["spec"]["containers"] = [container]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llama"}, "data": {"limit": "100"}}
    live = {"objectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "llama"}, "fieldPath": "data.limit"}
    argument = {
        "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
        "fieldPath": "spec.template.spec.containers[engine].args[--max-num-seqs]",
    }
    for name in ("rights-live", "rights-argument"):
        bed.add_namespace(name)
        bed.apply(body, settings, resource(live if name == "rights-live" else argument), namespace=name)

    def limit(name: str) -> Any:
        return bed.get("-n", name, "infa", "llama").get("status", {}).get("concurrency", {}).get("limit")

    with (
        tuned_engines(bed, "rights-live", rate=40.0),
        tuned_engines(bed, "rights-argument", rate=40.0),
        tuning(installed) as running,
    ):
        running.until(lambda: limit("rights-live") == limit("rights-argument") == BEST)
        running.until(lambda: bool(bed.get("-n", "rights-live", "events")["items"]))
    used = asked(audit_log, f"system:serviceaccount:{installed.namespace}:foretide-tuner")
    roles = bed.get("clusterrole,role", "-A", "-l", "app.kubernetes.io/component=tuner")["items"]
    assert used.refused == frozenset()
    assert used.allowed == granted([rule for role in roles for rule in role["rules"]])
    for name in ("rights-live", "rights-argument"):
        bed.kubectl("delete", "namespace", name, "--wait=false")
