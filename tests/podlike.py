"""A Deployment's container as a process: its arguments, its service account, its files, a read-only root; no container.

Promised: what its role does not grant is refused by the API server, and what its volumes do not give is not there.
NOT promised: its image, its user and its network; a test replaces addresses, and says which.
"""

import base64
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import LOOPBACK, Process, start

CAN_BUILD_A_CELL = bool(os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv"))
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
CELL = f"""\
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p {ACCOUNT}
cp "$1/ca.crt" "$1/token" {ACCOUNT}
mount --bind "$2" "$2"
mount -o remount,ro,bind /
mount -o remount,ro /run
shift 2
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
"""A mount namespace like that of a pod: a root to be read only, a scratch folder, the account where a pod finds it."""


def account_folder(bed: Bed, namespace: str, account: str, folder: Path) -> Path:
    """A new folder like the one that every pod of a service account has: its token, and the cluster's CA."""
    config = yaml.safe_load(bed.kubeconfig.read_text())
    folder.mkdir(parents=True)
    token = bed.kubectl("create", "token", "-n", namespace, account, "--duration=10m")
    (folder / "token").write_text(token.strip())
    certificate = config["clusters"][0]["cluster"]["certificate-authority-data"]
    (folder / "ca.crt").write_bytes(base64.b64decode(certificate))
    return folder


@dataclass(frozen=True, slots=True)
class PodLike:
    """What runs the only container of a Deployment; everything of it is kept below `folder`."""

    bed: Bed
    namespace: str
    name: str
    folder: Path

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bed.get("-n", self.namespace, f"deployment/{self.name}")["spec"]["template"]
        return found["spec"]

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.template['serviceAccountName']}"

    @property
    def probe(self) -> str:
        """The path that the kubelet asks before it calls the pod ready."""
        return str(self.template["containers"][0]["readinessProbe"]["httpGet"]["path"])

    def start(self, *command: str | Path, here: Mapping[str, str], given: Mapping[str, str] | None = None) -> Process:
        """`command` with the container's arguments. Each key of `here` must occur in them, each of `given` in the files
        of its volumes; both become their values.
        """
        (container,) = self.template["containers"]
        places = self._mounts(container, given or {})
        arguments = [_replaced(text, places | dict(here)) for text in container["args"]]
        for text in here:
            assert any(text in argument for argument in container["args"]), text
        scratch = self.folder / "scratch"
        account = account_folder(self.bed, self.namespace, self.template["serviceAccountName"], self.folder / "account")
        cell = ["unshare", "--mount", "sh", "-c", CELL, self.name, account, scratch]
        plain = {
            variable["name"]: _replaced(variable["value"], places)
            for variable in container.get("env", [])
            if "value" in variable
        }
        api = {"KUBERNETES_SERVICE_HOST": LOOPBACK, "KUBERNETES_SERVICE_PORT": str(self.bed.plane.port)}
        log = self.folder / f"{self.name}.log"
        environment = {"HOME": str(scratch), "KUBECONFIG": ""} | plain | api
        return start(self.name, [*cell, *command, *arguments], log=log, attached=True, environment=environment)

    def _mounts(self, container: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        """Mount path -> a folder with what the kubelet would put there."""
        (self.folder / "scratch").mkdir(parents=True)
        volumes = {volume["name"]: volume for volume in self.template["volumes"]}
        places = {}
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            place = self.folder / ("scratch" if "emptyDir" in volume else "given") / mount["name"]
            place.mkdir(parents=True)
            if "configMap" in volume:
                found = self.bed.get("-n", self.namespace, "configmap", volume["configMap"]["name"])["data"]
                assert all(any(old in text for text in found.values()) for old in given)
                for key, text in found.items():
                    (place / key).write_text(_replaced(text, given))
            places[mount["mountPath"]] = str(place)
        return places


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    """All at once, so that nothing of a replacement is replaced again."""
    if not changes:
        return text
    longest_first = "|".join(re.escape(old) for old in sorted(changes, key=len, reverse=True))
    return re.sub(longest_first, lambda found: changes[found[0]], text)
