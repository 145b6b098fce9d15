"""Real Helm, with the chart of this repository. Nothing of it is kept outside the folder that a test gives."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from foretide.cli.bed.binaries import TOOLS, programs

CHART = Path(__file__).parents[1] / "charts" / "foretide"
LEAST = {
    "image": {"repository": "registry.example.com/foretide"},
    "sources": {"default": {"address": "http://prometheus.monitoring:9090"}},
}
"""The fewest values with which the chart can be installed."""


class HelmFailed(Exception):
    """What Helm complained of."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm with a home in `folder`, for the cluster of `kubeconfig` if there is one."""

    folder: Path
    kubeconfig: Path | None = None

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """What Helm prints. Raises HelmFailed."""
        homes = {f"HELM_{name}_HOME": str(self.folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        given = ["--values=-"] if values is not None else []
        done = subprocess.run(
            [str(programs(TOOLS, build=True)["helm"]), *arguments, *given],
            input=json.dumps(values) if values is not None else None,
            env=os.environ | homes | {"KUBECONFIG": str(self.kubeconfig or self.folder / "none")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise HelmFailed(done.stderr + done.stdout)
        return done.stdout

    def rendered(self, values: Mapping[str, Any], *, namespace: str = "foretide") -> list[dict[str, Any]]:
        """The objects of an installation named `foretide`, CRDs included."""
        text = self.run("template", "foretide", str(CHART), "--include-crds", f"--namespace={namespace}", values=values)
        return [body for body in yaml.safe_load_all(text) if body]

    def install(self, namespace: str, values: Mapping[str, Any], *flags: str) -> str:
        patience = ("--wait", "--timeout=90s")
        return self.run("install", "foretide", str(CHART), f"--namespace={namespace}", *patience, *flags, values=values)


def with_(values: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Values with changes: `a__b=value` sets a.b."""
    new: dict[str, Any] = json.loads(json.dumps(values))
    for path, value in changes.items():
        *steps, last = path.split("__")
        inner = new
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return new


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    (found,) = (body for body in objects if (body["kind"], body["metadata"]["name"]) == (kind, name))
    return found
