"""The page from-hpa.md, its manifests and its commands, on a real control plane with a real HPA controller."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from engines import Engines, deployment, engines
from operating import FAST, Running, operator

from foretide.cli.bed.bed import Bed

pytestmark = pytest.mark.bed
PAGE = (Path(__file__).parents[2] / "docs" / "from-hpa.md").read_text(encoding="utf-8")
HPA, RESOURCE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BESIDE, OVER, BACK = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def world(with_crd: Bed, namespace: str) -> Iterator[Engines]:
    """Two ready replicas that serve 1 request/s together."""
    if not with_crd.get("nodes")["items"]:
        with_crd.add_gpu_nodes(2)
    with_crd.apply(deployment(replicas=2), namespace=namespace)
    with engines(with_crd, namespace, rate=1.0) as farm:
        yield farm


def typed(commands: str, world: Engines, folder: Path) -> str:
    """What a shell says to the page's commands, with the test's namespace in the place of prod."""
    kubectl = world.bed.programs["kubectl"]
    done = subprocess.run(
        ["sh", "-eu", "-c", commands.replace("-n prod", f"-n {world.namespace}")],
        env=os.environ | {"KUBECONFIG": str(world.bed.kubeconfig), "PATH": f"{kubectl.parent}:{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def conflict(running: Running) -> str:
    found = [each for each in running.status().get("conditions", ()) if each["type"] == "Conflict"]
    return next((each["message"] for each in found if each["status"] == "True"), "")


def test_beside_an_hpa_in_its_place_and_back(world: Engines, tmp_path: Path) -> None:
    (tmp_path / "llama.yaml").write_text(RESOURCE.replace("prod", world.namespace))
    world.bed.apply(yaml.safe_load(HPA.replace("prod", world.namespace)), namespace=world.namespace)
    with operator(world.bed, world.namespace, tmp_path) as running:
        typed(BESIDE, world, tmp_path)
        running.until(lambda: "HorizontalPodAutoscaler llama scales Deployment llama too" in conflict(running))
        assert running.replicas() == 2

        # a model that nobody has profiled, and quick moves, so that four requests per second are work for six
        body = yaml.safe_load(RESOURCE)
        body["metadata"].pop("namespace")
        body["spec"] |= {"model": "acme/unknown", "behavior": FAST}
        world.bed.apply(body, namespace=world.namespace)
        typed(OVER, world, tmp_path)
        world.rate = 4.0
        running.until(lambda: running.replicas() >= 6)
        assert not conflict(running)

        typed(BACK, world, tmp_path)
        running.until(lambda: bool(conflict(running)))
        assert world.bed.get("-n", world.namespace, "hpa", "llama")["spec"]["maxReplicas"] == 16
