"""The rights of the chart's service account, proven by the API server's audit log: each is used, and none is missing.

The real operator runs with the arguments that the chart gives it and with a token of the chart's account, while a
Deployment and a StatefulSet follow their demand.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audit import asked
from engines import Engines, deployment, engines
from helm import LEAST, Helm, with_
from installed import QUICK, Installed, autoscaler, may, operating, stateful_set

from foretide.cli.bed.bed import Bed

pytestmark = pytest.mark.bed
CAN_BUILD_A_CELL = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv")


@pytest.fixture
def installation(bed: Bed, bed_helm: Helm, namespace: str, tmp_path: Path) -> Iterator[Callable[..., Installed]]:
    """Installs with the bed's Prometheus as the source, and uninstalls after the test."""

    def install(**changes: Any) -> Installed:
        values = with_(LEAST, sources__default__address=bed.prometheus.url, settings=QUICK, **changes)
        bed_helm.install(namespace, values)
        return Installed(bed, bed_helm, namespace, tmp_path)

    yield install
    bed_helm.run("uninstall", "foretide", f"--namespace={namespace}", "--wait")


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
        running.until(lambda: bool(bed.get("-n", "rights-inside", "infa", "llama").get("status")))
    assert asked(audit_log, installed.user).refused == frozenset()
    assert may(bed, installed, "list", "pods", namespace="rights-inside")
    for namespace in ("default", "kube-system", installed.namespace):
        assert not may(bed, installed, "list", "pods", namespace=namespace)
    bed.kubectl("delete", "namespace", "rights-inside", "--wait=false")


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
        log = running.log.read_text()
    assert "Read-only file system" not in log
    assert "Traceback" not in log
