"""kind-config on a real control plane without kubelets: what kind would be given is admitted, and it works together."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from audit import asked, granted
from helm import Helm
from installed import Installed, operating
from kind_like import KIND, KindLike, answer
from podlike import CAN_BUILD_A_CELL, PodLike

from foretide.cli.bed.binaries import TOOLS, programs
from foretide.cli.bed.kwok_stages import PodTimes, stages
from foretide.cli.bed.processes import LOOPBACK, Process, free_port, stop, wait_for

pytestmark = [
    pytest.mark.bed,
    pytest.mark.skipif(not CAN_BUILD_A_CELL, reason="only root may build what stands in for a pod"),
]
FORETIDE = Path(sys.executable).with_name("foretide")
OURS = ("foretide", "monitoring", "fleet-twin", "kwok")
NOW_AND_THEN = {("patch", "events")}
"""An event that comes again is patched, and it does not come again in every run."""
TWIN = "fleet-twin.fleet-twin.svc:8000"
PROMETHEUS = "http://prometheus.monitoring:9090"


def test_installed_by_its_script_it_comes_to_a_recommendation(kind_like: KindLike) -> None:
    said = installed_by_the_script(kind_like)
    assert said.count("successfully rolled out") == 5
    assert set(nodes_of(kind_like, "models")) <= {"gpu-0", "gpu-1"}
    assert {node for name in OURS for node in nodes_of(kind_like, name)} == {"kind-control-plane"}

    at = f"{LOOPBACK}:{free_port()}"
    with running(kind_like.pod("fleet-twin", "fleet-twin"), FORETIDE, {"0.0.0.0:8000": at, TWIN: at}) as twin:
        wait_for(lambda: bool(json.loads(answer(port_of(at), "/targets") or b"[]")), what="an engine", by=[twin])
        with scraping(kind_like, twin=at) as prometheus:
            recommends(kind_like, prometheus)


@contextmanager
def scraping(kind_like: KindLike, *, twin: str) -> Iterator[str]:
    """The address of the manifest's Prometheus, once it has found what it is to scrape."""
    at = f"{LOOPBACK}:{free_port()}"
    pod, program = kind_like.pod("monitoring", "prometheus"), kind_like.bed.programs["prometheus"]
    with running(pod, program, {"0.0.0.0:9090": at}, given={TWIN: twin}) as process:
        wait_for(lambda: health(at, "fleet-twin") == ["up"], what="the engine among the targets", by=[process])
        wait_for(lambda: len(health(at, "foretide")) == 2, what="Foretide's pods among the targets", by=[process])
        yield f"http://{at}"


def recommends(kind_like: KindLike, prometheus: str) -> None:
    """The operator with the chart's arguments and account decides, in the words of `foretide explain`."""
    folder = kind_like.folder / "operator"
    folder.mkdir()
    values = yaml.safe_load((KIND / "values.yaml").read_text())
    installed = Installed(kind_like.bed, Helm(folder, kind_like.bed.kubeconfig), "foretide", folder, values)
    with operating(installed, here={f"--source=default={PROMETHEUS}": f"--source=default={prometheus}"}) as operator:
        operator.until(lambda: "forecast of the peak" in explained(kind_like))
        told = explained(kind_like)
    assert "models/llama  mode Recommend" in told
    assert "P(objective breaks within" in told
    assert "pool main: 1 replicas, " in told


def test_each_right_is_used_and_none_is_missing(kind_like: KindLike) -> None:
    """A replica more comes and goes for KWOK's sake; the others did all that they do in the test above."""
    bed = kind_like.bed
    for count in (2, 1):
        bed.kubectl("scale", "-n", "models", "deployment/llama", f"--replicas={count}")
        wait_for(partial(has_replicas, kind_like, count), what=f"{count} replicas")
    roles = {
        kind_like.kwok.user: ["clusterrole/foretide-kind-kwok", "-n=kube-node-lease role/kwok"],
        "system:serviceaccount:monitoring:prometheus": ["-n=foretide role/prometheus"],
        "system:serviceaccount:fleet-twin:fleet-twin": ["-n=models role/fleet-twin"],
    }
    for user, names in roles.items():
        asks = asked(kind_like.audit, user)
        rules = [rule for name in names for rule in bed.get(*name.split())["rules"]]
        unused = {(right.verb, right.resource) for right in granted(rules)} - {
            (right.verb, right.resource) for right in asks.allowed
        }
        assert not asks.refused, user
        assert unused <= NOW_AND_THEN, user


def test_the_stages_are_those_of_the_bed() -> None:
    assert (KIND / "kwok" / "stages.yaml").read_text() == stages(PodTimes())


def installed_by_the_script(kind_like: KindLike) -> str:
    """What install.sh says, on the bed instead of kind's cluster."""
    helm = Path(programs(TOOLS, build=True)["helm"])
    homes = {f"HELM_{name}_HOME": str(kind_like.folder / "helm" / name) for name in ("CACHE", "CONFIG", "DATA")}
    path = f"{kind_like.bed.programs['kubectl'].parent}:{helm.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(KIND / "install.sh")],
        env=os.environ | homes | {"KUBECONFIG": str(kind_like.bed.kubeconfig), "PATH": path},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@contextmanager
def running(
    pod: PodLike, program: Path, here: dict[str, str], given: dict[str, str] | None = None
) -> Iterator[Process]:
    """The pod's process once its readiness probe finds it, and its end. The first of `here` is where it listens."""
    process = pod.start(program, here=here, given=given)
    port = port_of(next(iter(here.values())))
    try:
        wait_for(lambda: answer(port, pod.probe) is not None, what=pod.name, by=[process])
        yield process
    finally:
        stop([process])


def has_replicas(kind_like: KindLike, count: int) -> bool:
    return len(nodes_of(kind_like, "models")) == count


def port_of(at: str) -> int:
    return int(at.rpartition(":")[2])


def nodes_of(kind_like: KindLike, namespace: str) -> list[str]:
    """Where each pod of a namespace is; an empty name where it is nowhere yet."""
    return [pod["spec"].get("nodeName", "") for pod in kind_like.bed.get("-n", namespace, "pods")["items"]]


def health(at: str, job: str) -> list[str]:
    """Of each target of a job, as Prometheus has it."""
    found = json.loads(answer(port_of(at), "/api/v1/targets") or b'{"data": {"activeTargets": []}}')
    return [target["health"] for target in found["data"]["activeTargets"] if target["scrapePool"] == job]


def explained(kind_like: KindLike) -> str:
    command = [str(FORETIDE), "explain", "models/llama", f"--kubeconfig={kind_like.bed.kubeconfig}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
