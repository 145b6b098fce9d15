"""A release of the chart on the bed, and its operator as a process with the chart's arguments and token."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from audit import Right, granted
from engines import deployment
from helm import CHART, Helm, with_
from podlike import account_folder

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "inferenceautoscaler.yaml"
FAST = {"scaleDown": {"stabilizationWindowSeconds": 2, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 2}]}}
QUICK = {
    "planInterval": "2s", "reliefInterval": "1s", "step": "2s", "firstLife": "10s", "backfill": "2m",
    "relistInterval": "5s", "statusInterval": "2s", "coldStart": "2s", "coldStartSigma": 0.1, "scrapeInterval": "2s",
}  # fmt: skip
PATIENCE_S = 240.0
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
CELL = f"""\
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p {ACCOUNT}
cp "$1/ca.crt" "$1/token" {ACCOUNT}
mount -t tmpfs none /var/cache
mkdir /var/cache/foretide
mount -o remount,ro,bind /
mount -o remount,ro /run
shift
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
"""A mount namespace like that of the chart's pod: a read-only root, the cache, the account where a pod finds it."""


@dataclass
class Installed:
    """A release of the chart, and its operator as a process on this machine."""

    bed: Bed
    helm: Helm
    namespace: str
    folder: Path
    values: dict[str, Any]

    def upgrade(self, **changes: Any) -> None:
        values = with_(self.values, **changes)
        self.helm.run("upgrade", "foretide", str(CHART), f"--namespace={self.namespace}", "--wait", values=values)

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:foretide-operator"

    def container(self) -> dict[str, Any]:
        pod = self.bed.get("-n", self.namespace, "deployment/foretide-operator")["spec"]["template"]["spec"]
        container: dict[str, Any] = pod["containers"][0]
        return container

    def token(self) -> str:
        """Of the chart's account, from the TokenRequest API."""
        return self.bed.kubectl("create", "token", "-n", self.namespace, "foretide-operator", "--duration=10m").strip()

    def account(self) -> Path:
        return account_folder(self.bed, self.namespace, "foretide-operator", self.folder / "account")

    def mount(self) -> Path:
        """Writes what the kubelet would mount for the sources, where it would, below a folder; that folder."""
        pod = self.bed.get("-n", self.namespace, "deployment/foretide-operator")["spec"]["template"]["spec"]
        places = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        root = self.folder / "root"
        for volume in pod["volumes"]:
            place = root / places[volume["name"]].lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                found = self.bed.get("-n", self.namespace, "configmap", volume["configMap"]["name"])["data"]
                written = {key: text.encode() for key, text in found.items()}
            elif "secret" in volume:
                found = self.bed.get("-n", self.namespace, "secret", volume["secret"]["secretName"])["data"]
                written = {key: base64.b64decode(text) for key, text in found.items()}
            else:
                continue
            for key, content in written.items():
                (place / key).write_bytes(content)
        return root

    def kubeconfig(self) -> Path:
        """The admin's, with a token of the account in the place of the certificate."""
        config = yaml.safe_load(self.bed.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": self.token()}
        path = self.folder / "operator.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def rules(self) -> frozenset[Right]:
        """All that its roles grant."""
        found = self.bed.get("clusterrole,role", "-A", "-l", "app.kubernetes.io/component=operator")["items"]
        account = {"kind": "ServiceAccount", "name": "foretide-operator", "namespace": self.namespace}
        bindings = self.bed.get("clusterrolebinding,rolebinding", "-A")["items"]
        bound = {
            (each["roleRef"]["kind"], each["metadata"].get("namespace", ""), each["roleRef"]["name"])
            for each in bindings
            if account in each.get("subjects", [])
        }
        own = [role for role in found if name_of(role) in bound]
        assert len(own) == len(bound)
        return granted([rule for role in own for rule in role["rules"]])


def name_of(role: dict[str, Any]) -> tuple[str, str, str]:
    return role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]


@dataclass
class Operating:
    process: subprocess.Popen[bytes]
    log: Path

    def until(self, what: Callable[[], bool]) -> None:
        """Waits until it holds; shows the log if it never does."""
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.3)


@contextmanager
def operating(
    installed: Installed, *, in_a_cell: bool = False, here: Mapping[str, str] | None = None
) -> Iterator[Operating]:
    """The chart's operator, on ports of this machine; as it is in a pod when `in_a_cell`, which only root can build.
    Further arguments that are others here stand in `here`.
    """
    health = free_port()
    here = dict(here or {}) | {
        "--health=0.0.0.0:8080": f"--health=127.0.0.1:{health}",
        "--metrics=0.0.0.0:8081": f"--metrics=127.0.0.1:{free_port()}",
    }
    if not in_a_cell:
        here["--cache=/var/cache/foretide"] = f"--cache={installed.folder / 'cache'}"
    container = installed.container()
    arguments = [here.pop(argument, argument) for argument in container["args"]]
    assert not here
    if not in_a_cell:
        arguments = [text.replace("=/etc/foretide/", f"={installed.mount()}/etc/foretide/") for text in arguments]
    command = [str(Path(sys.executable).with_name("foretide")), *arguments]
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    if in_a_cell:
        command = ["unshare", "--mount", "sh", "-c", CELL, "cell", str(installed.account()), *command]
        environment |= {variable["name"]: variable["value"] for variable in container["env"]}
        environment |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(installed.bed.plane.port),
        }
        environment.pop("KUBECONFIG", None)
    else:
        environment["KUBECONFIG"] = str(installed.kubeconfig())
    log = installed.folder / "operator.log"
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    try:
        yield Operating(process, log)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            with urllib.request.urlopen(f"http://127.0.0.1:{health}{path}", timeout=5) as page:
                assert page.status == 200
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)


def autoscaler(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    body["spec"] |= {"mode": "Auto", "model": "acme/unknown", "behavior": FAST} | spec
    body["spec"]["pools"][0]["targetRef"]["kind"] = kind
    return body


def stateful_set() -> dict[str, Any]:
    body = deployment(replicas=2)
    body["spec"] |= {"serviceName": "llama", "podManagementPolicy": "Parallel"}
    return body | {"kind": "StatefulSet"}


def may(bed: Bed, installed: Installed, verb: str, thing: str, *, namespace: str) -> bool:
    """By a SubjectAccessReview, so that rights from elsewhere count too."""
    kind, _, group = thing.partition(".")
    group, _, subresource = group.partition("/") if group else ("", "", kind.partition("/")[2])
    attributes = {
        "verb": verb,
        "resource": kind.partition("/")[0],
        "group": group,
        "subresource": subresource,
        "namespace": namespace,
    }
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{installed.namespace}"]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": installed.user, "groups": groups, "resourceAttributes": attributes},
    }
    answer = json.loads(bed.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review)))
    return bool(answer["status"]["allowed"])


def conditions(bed: Bed, namespace: str) -> dict[str, dict[str, Any]]:
    """Of the autoscaler `llama`, by type."""
    status = bed.get("-n", namespace, "infa", "llama").get("status", {})
    return {condition["type"]: condition for condition in status.get("conditions", ())}
