"""A Kubernetes control plane as ordinary processes: etcd, API server, controllers, scheduler, and KWOK as the kubelets.

Promised: it listens on loopback only, with certificates of its own, RBAC on, and an aggregation layer that accepts
APIServices. `start_plane` returns when the API server answers and controllers have made the default service account.
NOT promised: durability. etcd does not wait for the disk, because nothing here outlives the bed.
"""

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from foretide.cli.bed.certificates import Authority, KeyPair, signing_keys
from foretide.cli.bed.kwok_stages import PodTimes, stages
from foretide.cli.bed.processes import LOOPBACK, Process, free_port, listening, start, stop, wait_for

HOSTS = (LOOPBACK, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.0.0.1")
MANAGED_NODES = "kwok.x-k8s.io/node=fake"
NODE_LEASE_S = 40
# What workloads and autoscalers need. The others would only make the start slower: clouds, volumes, certificates.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "taint-eviction-controller",
)


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """What may differ between beds."""

    pods: PodTimes = field(default_factory=PodTimes)
    hpa_sync_s: float = 1.0
    apiserver_flags: tuple[str, ...] = ()
    """Further flags of kube-apiserver."""
    controller_flags: tuple[str, ...] = ()
    """Further flags of kube-controller-manager."""
    attached: bool = True
    """Whether the kernel ends the processes with the one that started them."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane."""

    folder: Path
    port: int
    kubeconfig: Path
    processes: tuple[Process, ...]

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        # kwok and the controllers first: they would only complain about an API server that leaves them
        stop([process for process in self.processes if process.name not in {"etcd", "kube-apiserver"}], patience_s=3.0)
        stop(self.processes, patience_s=1.0, kindly=False)


@dataclass(frozen=True, slots=True)
class _Identities:
    """All certificates of one plane."""

    ca: Path
    front_ca: Path
    server: KeyPair
    admin: KeyPair
    front: KeyPair
    tokens: KeyPair
    components: Mapping[str, KeyPair]


class _Starter:
    """Starts the parts one after the other, and remembers them for the case that a later one fails."""

    def __init__(self, folder: Path, programs: Mapping[str, Path], settings: PlaneSettings) -> None:
        self.folder, self.settings = folder, settings
        self._programs = programs
        self.started: list[Process] = []

    def run(self, name: str, *flags: str) -> Process:
        log = self.folder / "logs" / f"{name}.log"
        process = start(name, [self._programs[name], *flags], log=log, attached=self.settings.attached)
        self.started.append(process)
        return process


def start_plane(folder: Path, programs: Mapping[str, Path], settings: PlaneSettings) -> Plane:
    """A new control plane below `folder`. Raises BedFailed when a part does not come up; then nothing stays behind."""
    starter = _Starter(folder, programs, settings)
    try:
        return _start(starter)
    except BaseException:
        stop(starter.started, kindly=False)
        raise


def _start(starter: _Starter) -> Plane:
    folder = starter.folder
    identities = _identities(folder / "pki")
    port, etcd_port = free_port(), free_port()
    server = f"https://{LOOPBACK}:{port}"
    kubeconfigs = {
        name: _write_kubeconfig(folder / f"{name}.kubeconfig", server, identities.ca, pair)
        for name, pair in {"admin": identities.admin, **identities.components}.items()
    }
    etcd = starter.run("etcd", *_etcd_flags(folder, identities, etcd_port))
    wait_for(lambda: listening(etcd_port), what="etcd", by=[etcd])
    api = starter.run(
        "kube-apiserver", *_apiserver_flags(identities, port, etcd_port), *starter.settings.apiserver_flags
    )
    asking = _context(identities)
    wait_for(lambda: _answers(port, asking, "/readyz"), what="kube-apiserver", by=[etcd, api])
    controllers = starter.run(
        "kube-controller-manager",
        *_controller_flags(identities, kubeconfigs, starter.settings.hpa_sync_s),
        *starter.settings.controller_flags,
    )
    scheduler = starter.run("kube-scheduler", *_scheduler_flags(kubeconfigs))
    kwok = starter.run("kwok", *_kwok_flags(folder, kubeconfigs, starter.settings.pods))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_for(lambda: _answers(port, asking, account), what="the controllers", by=[api, controllers, scheduler, kwok])
    return Plane(folder=folder, port=port, kubeconfig=kubeconfigs["admin"], processes=tuple(starter.started))


def _identities(folder: Path) -> _Identities:
    authority, front = Authority("ca", folder), Authority("front-proxy-ca", folder)
    components = {
        name: authority.issue(f"system:{name}", file=name) for name in ("kube-controller-manager", "kube-scheduler")
    }
    # KWOK stands in for kubelets of any number of nodes, for which no built-in role exists.
    components["kwok"] = authority.issue("kwok", groups=("system:masters",))
    return _Identities(
        ca=authority.certificate,
        front_ca=front.certificate,
        server=authority.issue("kube-apiserver", hosts=HOSTS),
        admin=authority.issue("foretide-admin", groups=("system:masters",), file="admin"),
        front=front.issue("front-proxy-client"),
        tokens=signing_keys(folder),
        components=components,
    )


def _flags(**flags: object) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]


def _etcd_flags(folder: Path, identities: _Identities, port: int) -> list[str]:
    peer = f"https://{LOOPBACK}:{free_port()}"
    pair = identities.server
    tls = {"cert_file": pair.certificate, "key_file": pair.key, "trusted_ca_file": identities.ca}
    return [
        *_flags(name="bed", data_dir=folder / "etcd", log_level="warn", unsafe_no_fsync=True),
        *_flags(listen_client_urls=f"https://{LOOPBACK}:{port}", advertise_client_urls=f"https://{LOOPBACK}:{port}"),
        *_flags(listen_peer_urls=peer, initial_advertise_peer_urls=peer, initial_cluster=f"bed={peer}"),
        *_flags(**tls, client_cert_auth=True),
        *_flags(**{f"peer_{name}": value for name, value in tls.items()}, peer_client_cert_auth=True),
    ]


def _apiserver_flags(identities: _Identities, port: int, etcd_port: int) -> list[str]:
    pair, tokens, front = identities.server, identities.tokens, identities.front
    return [
        *_flags(bind_address=LOOPBACK, advertise_address=LOOPBACK, secure_port=port, endpoint_reconciler_type="none"),
        *_flags(tls_cert_file=pair.certificate, tls_private_key_file=pair.key, client_ca_file=identities.ca),
        *_flags(etcd_servers=f"https://{LOOPBACK}:{etcd_port}", etcd_cafile=identities.ca),
        *_flags(etcd_certfile=pair.certificate, etcd_keyfile=pair.key),
        *_flags(authorization_mode="RBAC", anonymous_auth=False, profiling=False),
        *_flags(service_account_issuer="https://kubernetes.default.svc", service_cluster_ip_range="10.0.0.0/24"),
        *_flags(service_account_key_file=tokens.certificate, service_account_signing_key_file=tokens.key),
        *_flags(requestheader_client_ca_file=identities.front_ca, requestheader_allowed_names="front-proxy-client"),
        *_flags(requestheader_username_headers="X-Remote-User", requestheader_group_headers="X-Remote-Group"),
        *_flags(requestheader_extra_headers_prefix="X-Remote-Extra-"),
        *_flags(proxy_client_cert_file=front.certificate, proxy_client_key_file=front.key),
    ]


def _controller_flags(identities: _Identities, kubeconfigs: Mapping[str, Path], hpa_sync_s: float) -> list[str]:
    own = kubeconfigs["kube-controller-manager"]
    return [
        *_flags(kubeconfig=own, authentication_kubeconfig=own, authorization_kubeconfig=own),
        *_flags(bind_address=LOOPBACK, secure_port=free_port(), leader_elect=False, profiling=False),
        *_flags(controllers=",".join(CONTROLLERS), kube_api_qps=200, kube_api_burst=400),
        *_flags(use_service_account_credentials=True, root_ca_file=identities.ca),
        *_flags(service_account_private_key_file=identities.tokens.key),
        *_flags(horizontal_pod_autoscaler_sync_period=f"{hpa_sync_s}s"),
    ]


def _scheduler_flags(kubeconfigs: Mapping[str, Path]) -> list[str]:
    own = kubeconfigs["kube-scheduler"]
    return [
        *_flags(kubeconfig=own, authentication_kubeconfig=own, authorization_kubeconfig=own),
        *_flags(bind_address=LOOPBACK, secure_port=free_port(), leader_elect=False, profiling=False),
        *_flags(kube_api_qps=200, kube_api_burst=400),
    ]


def _kwok_flags(folder: Path, kubeconfigs: Mapping[str, Path], times: PodTimes) -> list[str]:
    config = folder / "stages.yaml"
    config.write_text(stages(times), encoding="utf-8")
    return [
        *_flags(kubeconfig=kubeconfigs["kwok"], config=config, manage_all_nodes=False),
        *_flags(manage_nodes_with_annotation_selector=MANAGED_NODES, node_lease_duration_seconds=NODE_LEASE_S),
        *_flags(cidr="10.128.0.0/16", node_ip=LOOPBACK),
    ]


def _write_kubeconfig(path: Path, server: str, ca: Path, pair: KeyPair) -> Path:
    """A kubeconfig that holds all it needs, so that it can be copied elsewhere."""
    cluster = {"server": server, "certificate-authority-data": _encoded(ca)}
    user = {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "foretide-bed", "cluster": cluster}],
        "users": [{"name": path.stem, "user": user}],
        "contexts": [{"name": "foretide-bed", "context": {"cluster": "foretide-bed", "user": path.stem}}],
        "current-context": "foretide-bed",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _context(identities: _Identities) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(identities.ca))
    context.load_cert_chain(identities.admin.certificate, identities.admin.key)
    return context


def _answers(port: int, context: ssl.SSLContext, path: str) -> bool:
    connection = http.client.HTTPSConnection(LOOPBACK, port, context=context, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
