"""How to reach the Kubernetes API: from a kubeconfig, or as the pod's own service account.

What is NOT promised: exec plugins and auth providers of a kubeconfig; an operator runs with a token or a certificate.
"""

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoCredentials(ValueError):
    """The API server cannot be reached with what was given, in one line."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One API server and who we are to it. A token file is read anew at every start and after every 401."""

    server: str
    ca_data: str | None = None
    ca_file: Path | None = None
    insecure: bool = False
    token: str | None = None
    token_file: Path | None = None
    certificate: bytes | None = None
    private_key: bytes | None = None

    def current_token(self) -> str | None:
        """The token to send now. Raises NoCredentials when its file cannot be read."""
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise NoCredentials(f"token file {self.token_file}: {error.strerror}") from error

    def ssl_context(self) -> ssl.SSLContext | bool:
        if not self.server.startswith("https:"):
            return True
        context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.private_key:
            self._load_certificate(context)
        return context

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        # Python's ssl reads certificates from files only.
        with tempfile.NamedTemporaryFile() as file:
            file.write((self.certificate or b"") + b"\n" + (self.private_key or b""))
            file.flush()
            context.load_cert_chain(file.name)


def credentials_from(kubeconfig: Path | None, *, context: str | None = None) -> Credentials:
    """From a kubeconfig where one is given, else the pod's own. Raises NoCredentials."""
    if kubeconfig is not None:
        return from_kubeconfig(kubeconfig.expanduser(), context=context)
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "")
    return in_cluster(host, port)


def in_cluster(host: str, port: str, *, folder: Path = SERVICE_ACCOUNT) -> Credentials:
    """The pod's own service account; `host` and `port` are KUBERNETES_SERVICE_HOST and _PORT."""
    if not host or not port:
        raise NoCredentials("kubeconfig: none given and this is no pod; pass --kubeconfig FILE")
    if ":" in host:
        host = f"[{host}]"
    return Credentials(f"https://{host}:{port}", ca_file=folder / "ca.crt", token_file=folder / "token")


def from_kubeconfig(path: Path, *, context: str | None = None) -> Credentials:
    """The cluster and user of a context (the current one by default) of a kubeconfig file."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoCredentials(f"kubeconfig {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise NoCredentials(f"kubeconfig {path}: not YAML; give the file that kubectl uses") from error
    if not isinstance(config, dict):
        raise NoCredentials(f"kubeconfig {path}: empty; give the file that kubectl uses")
    chosen = _named(config, "contexts", context or config.get("current-context"), path).get("context", {})
    cluster = _named(config, "clusters", chosen.get("cluster"), path).get("cluster", {})
    user = _named(config, "users", chosen.get("user"), path).get("user", {})
    return _credentials(path, cluster, user)


def _named(config: dict[str, Any], section: str, name: str | None, path: Path) -> dict[str, Any]:
    for item in config.get(section) or []:
        if isinstance(item, dict) and item.get("name") == name:
            return item
    raise NoCredentials(f"kubeconfig {path}: {section} has no {name!r}")


def _credentials(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Credentials:
    if not cluster.get("server"):
        raise NoCredentials(f"kubeconfig {path}: the cluster names no server")
    ca = _bytes(path, cluster, "certificate-authority")
    token_file = user.get("tokenFile")
    return Credentials(
        server=str(cluster["server"]).rstrip("/"),
        ca_data=ca.decode("ascii") if ca else None,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        token=user.get("token"),
        token_file=path.parent / token_file if token_file else None,
        certificate=_bytes(path, user, "client-certificate"),
        private_key=_bytes(path, user, "client-key"),
    )


def _bytes(path: Path, section: dict[str, Any], field: str) -> bytes | None:
    """What stands in `FIELD-data`, or in the file that `FIELD` names, relative to the kubeconfig."""
    try:
        if data := section.get(f"{field}-data"):
            return base64.b64decode(data)
        return (path.parent / section[field]).read_bytes() if section.get(field) else None
    except (OSError, ValueError) as error:
        raise NoCredentials(f"kubeconfig {path}: {field}: {error}") from error
