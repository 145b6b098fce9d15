"""The chart on a real API server: admitted, installed, upgraded, rolled back and gone again."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from crds import established
from engines import deployment
from helm import CHART, LEAST, Helm, HelmFailed, with_

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import BedFailed

pytestmark = pytest.mark.bed
CRD = "customresourcedefinition.apiextensions.k8s.io/inferenceautoscalers.autoscaling.foretide.io"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "inferenceautoscaler.yaml"
STRICTLY = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
"""Tried, whether it is there already or not; an unknown field is an error."""
WHOLE = with_(
    LEAST,
    sources__default__ca={"configMap": "prometheus-ca", "key": "ca.crt"},
    sources__default__token={"secret": "prometheus-token", "key": "token"},
    forecast__mode="service",
    networkPolicy__enabled=True,
    keda__enabled=True,
)
KEPT = {
    "CustomResourceDefinition//inferenceautoscalers.autoscaling.foretide.io",
    "APIService//v1alpha1.autoscaling.foretide.io",
}
"""What stays: the CRD, so that an uninstallation costs nobody their resources, and what the API server makes of it."""
PASSING = {"events", "events.events.k8s.io", "componentstatuses", "pods", "controllerrevisions.apps"}
"""Kinds whose things come and go by themselves."""


@pytest.fixture
def restricted(bed: Bed, namespace: str) -> str:
    """A namespace that admits only pods of the strictest profile."""
    bed.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return namespace


def things(bed: Bed) -> set[str]:
    """Everything that the cluster holds, as KIND/NAMESPACE/NAME."""
    kinds = set(bed.kubectl("api-resources", "--verbs=list", "-o", "name").split()) - PASSING
    template = "{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{'\\n'}{end}"
    return set(bed.kubectl("get", ",".join(sorted(kinds)), "-A", "-o", f"jsonpath={template}").splitlines())


def settled(found: Callable[[], set[str]], wanted: set[str], patience_s: float = 30.0) -> set[str]:
    """What is found once it is as wanted, or when patience is over."""
    end = time.monotonic() + patience_s
    while (now := found()) != wanted and time.monotonic() < end:
        time.sleep(0.5)
    return now


def ready(bed: Bed, namespace: str, name: str) -> int:
    return int(bed.get("-n", namespace, f"deployment/{name}")["status"].get("readyReplicas", 0))


def test_the_restricted_profile_is_enforced_here_at_all(bed: Bed, restricted: str) -> None:
    with pytest.raises(BedFailed, match="violates PodSecurity"):
        bed.kubectl("run", "-n", restricted, "rootly", "--image=x")


@pytest.mark.parametrize(
    "changes",
    [{}, {"namespaces": ["default"]}, {"forecast__mode": "inProcess"}, {"operator__bindAddress": "[::]"}],
    ids=str,
)
def test_every_object_is_accepted_by_the_api_server(
    bed: Bed, helm: Helm, namespace: str, changes: dict[str, Any]
) -> None:
    for body in helm.rendered(with_(WHOLE, **changes), namespace=namespace):
        bed.kubectl("apply", *STRICTLY, "-f", "-", stdin=json.dumps(body))


def test_installed_upgraded_rolled_back_and_gone_with_nothing_left_but_the_crd(
    bed: Bed, bed_helm: Helm, restricted: str
) -> None:
    bed.kubectl("delete", CRD, "--ignore-not-found", "--wait")
    before = things(bed)
    notes = bed_helm.install(restricted, WHOLE)
    assert "get lease foretide-operator\n" in notes
    established(bed, CRD.partition("/")[2])
    assert (ready(bed, restricted, "foretide-operator"), ready(bed, restricted, "foretide-forecast")) == (2, 1)

    bed.apply(deployment(replicas=2), yaml.safe_load(EXAMPLE.read_text()), namespace="default")
    own = bed.get("-n", "default", "infa", "llama")
    crds = bed_helm.run("show", "crds", str(CHART))
    bed.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crds)
    bed_helm.run(
        "upgrade", "foretide", str(CHART), f"--namespace={restricted}", "--wait",
        values=with_(WHOLE, operator__replicas=3, forecast__mode="ladder", settings={"planInterval": "30s"}),
    )  # fmt: skip
    assert ready(bed, restricted, "foretide-operator") == 3
    assert not [thing for thing in things(bed) if "foretide-forecast" in thing]
    bed_helm.run("rollback", "foretide", "1", f"--namespace={restricted}", "--wait")
    assert (ready(bed, restricted, "foretide-operator"), ready(bed, restricted, "foretide-forecast")) == (2, 1)
    assert bed.get("-n", "default", "infa", "llama") == own
    assert bed.get("-n", "default", "deployment", "llama")["spec"]["replicas"] == 2

    bed_helm.run("uninstall", "foretide", f"--namespace={restricted}", "--wait")
    assert bed.get("-n", "default", "infa", "llama") == own
    bed.kubectl("delete", "-n", "default", "deployment/llama", "infa/llama", "--wait")
    assert settled(lambda: things(bed) - before, KEPT) == KEPT


def test_a_second_installation_over_the_same_targets_is_refused(bed: Bed, bed_helm: Helm, namespace: str) -> None:
    bed.add_namespace("second")
    bed_helm.install(namespace, LEAST)
    try:
        with pytest.raises(HelmFailed, match='ClusterRole "foretide-operator" in namespace "" exists'):
            bed_helm.install("second", LEAST)
    finally:
        bed_helm.run("uninstall", "foretide", f"--namespace={namespace}", "--wait")
        bed.kubectl("delete", "namespace", "second", "--wait=false")
