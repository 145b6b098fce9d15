"""What the chart makes of values, by real Helm: rendered where they are right, refused with their path where not."""

from typing import Any

import pytest
import yaml
from helm import CHART, LEAST, Helm, HelmFailed, one, with_

from foretide.cli.keda import ADDRESS

pytestmark = pytest.mark.bed
SOURCE = "sources__default"
CA = {"configMap": "prometheus-ca", "key": "ca.crt"}
TOKEN = {"secret": "prometheus-token", "key": "token"}
EVERYTHING = with_(
    LEAST,
    sources__default__ca=CA,
    sources__default__token=TOKEN,
    targets={"apps": ["deployments"], "leaderworkerset.x-k8s.io": ["leaderworkersets"]},
    settings={"planInterval": "30s", "maxBody": 1048576, "coldStartSigma": 0.5},
    operator__journal=True,
    operator__verbose=True,
    forecast__mode="service",
    forecast__network__claim="networks",
    networkPolicy={"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    keda={"enabled": True, "staleAfter": "5m", "from": [{"namespaceSelector": {}}]},
    page={"enabled": True, "bindAddress": "0.0.0.0", "from": [{"namespaceSelector": {}}]},
    tuner={"enabled": True, "knobs": {"core": ["configmaps"]}, "extraArgs": ["--verbose"]},
    monitoring={
        "podMonitor": True,
        "serviceMonitor": True,
        "prometheusRule": True,
        "labels": {"release": "prometheus"},
    },
)


def operator_pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "Deployment", "foretide-operator")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("values", [{}, LEAST, EVERYTHING], ids=["none", "least", "everything"])
def test_lint_finds_no_fault(helm: Helm, values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART), values=values)


def test_the_least_values_bring_what_is_needed_and_nothing_that_needs_other_crds(helm: Helm) -> None:
    objects = helm.rendered(LEAST)
    kinds = {body["kind"] for body in objects}
    assert {"CustomResourceDefinition", "Deployment", "Lease", "PodDisruptionBudget", "ServiceAccount"} <= kinds
    assert not kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule", "NetworkPolicy", "Secret", "Service"}
    assert one(objects, "Deployment", "foretide-operator")["spec"]["replicas"] == 2


def test_sources_reach_the_operator_with_their_files(helm: Helm) -> None:
    pod = operator_pod(helm.rendered(EVERYTHING))
    args, mounts = pod["containers"][0]["args"], pod["containers"][0]["volumeMounts"]
    folder = "/etc/foretide/sources/default"
    assert f"--source-ca=default={folder}/ca/ca.crt" in args
    assert f"--source-token=default={folder}/token/token" in args
    assert {mount["mountPath"] for mount in mounts} == {f"{folder}/ca", f"{folder}/token", "/var/cache/foretide"}
    assert {"name": "token-default", "secret": {"secretName": "prometheus-token"}} in pod["volumes"]


def test_settings_reach_the_operator_as_they_were_written(helm: Helm) -> None:
    args = operator_pod(helm.rendered(EVERYTHING))["containers"][0]["args"]
    assert {"--plan-interval=30s", "--max-body=1048576", "--cold-start-sigma=0.5"} <= set(args)


def test_where_the_platform_chooses_the_user_none_is_named(helm: Helm) -> None:
    chosen = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    context = operator_pod(helm.rendered(with_(LEAST, podSecurityContext=chosen)))["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_a_digest_wins_over_the_tag(helm: Helm) -> None:
    digest, version = "sha256:" + "0" * 64, yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    for changes, ending in (({}, f":{version}"), ({"tag": "x"}, ":x"), ({"tag": "x", "digest": digest}, f"@{digest}")):
        image = operator_pod(helm.rendered(with_(LEAST, image=LEAST["image"] | changes)))["containers"][0]["image"]
        assert image == "registry.example.com/foretide" + ending


def test_a_namespaced_installation_needs_nothing_of_the_cluster_but_the_crd(helm: Helm) -> None:
    objects = helm.rendered(with_(LEAST, namespaces=["a", "b"], rbac={"aggregate": False, "guardPods": False}))
    assert {body["kind"] for body in objects if "namespace" not in body["metadata"]} == {"CustomResourceDefinition"}
    roles = {body["metadata"]["namespace"] for body in objects if body["metadata"]["name"] == "foretide-operator"}
    assert roles >= {"a", "b"}
    assert "--namespace=b" in operator_pod(objects)["containers"][0]["args"]


def test_the_forecast_service_is_asked_where_it_listens(helm: Helm) -> None:
    objects = helm.rendered(EVERYTHING)
    args = operator_pod(objects)["containers"][0]["args"]
    assert "--forecast-url=http://foretide-forecast.foretide.svc:8090" in args
    service = one(objects, "Service", "foretide-forecast")["spec"]
    pod = one(objects, "Deployment", "foretide-forecast")["spec"]["template"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not [arg for arg in operator_pod(helm.rendered(LEAST))["containers"][0]["args"] if "forecast" in arg]


def test_the_policy_lets_through_to_the_port_of_every_source(helm: Helm) -> None:
    sources = {"default": {"address": "https://thanos.example.com/api"}, "old": {"address": "http://old:9091"}}
    policy = one(
        helm.rendered(with_(LEAST, sources=sources, networkPolicy__enabled=True)), "NetworkPolicy", "foretide-operator"
    )
    allowed = {entry["port"] for rule in policy["spec"]["egress"] for entry in rule["ports"]}
    assert allowed == {53, 443, 6443, 9091}


def test_keda_finds_every_operator_by_a_service_without_an_address_of_its_own(helm: Helm) -> None:
    objects = helm.rendered(EVERYTHING)
    pod = one(objects, "Deployment", "foretide-operator")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    service = one(objects, "Service", "foretide-keda")["spec"]
    assert {"--keda=0.0.0.0:9091", "--keda-stale=5m"} <= set(container["args"])
    assert service["clusterIP"] == "None"
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    (port,) = service["ports"]
    assert {"name": port["targetPort"], "containerPort": 9091} in container["ports"]
    assert f"foretide-keda.foretide.svc:{port['port']}" == ADDRESS


def test_keda_may_ask_and_nobody_else_where_peers_are_named(helm: Helm) -> None:
    policy = one(helm.rendered(EVERYTHING), "NetworkPolicy", "foretide-operator")["spec"]
    (rule,) = (rule for rule in policy["ingress"] if rule["ports"] == [{"port": "keda"}])
    assert rule["from"] == [{"namespaceSelector": {}}]
    closed = one(helm.rendered(with_(LEAST, networkPolicy__enabled=True)), "NetworkPolicy", "foretide-operator")
    assert not [rule for rule in closed["spec"]["ingress"] if rule["ports"] == [{"port": "keda"}]]


def test_without_keda_no_port_is_opened(helm: Helm) -> None:
    (container,) = operator_pod(helm.rendered(LEAST))["containers"]
    assert "keda" not in {port["name"] for port in container["ports"]}
    assert not [argument for argument in container["args"] if "keda" in argument]


def test_the_page_is_off_and_on_it_stays_within_the_pod_until_it_is_bound_elsewhere(helm: Helm) -> None:
    (closed,), (inside,), (opened,) = (
        operator_pod(helm.rendered(with_(LEAST, page=page)))["containers"]
        for page in ({}, {"enabled": True}, {"enabled": True, "bindAddress": "0.0.0.0", "hosts": ["fleet.example.com"]})
    )
    assert not [argument for argument in closed["args"] if "page" in argument]
    assert "--page=127.0.0.1:8083" in inside["args"]
    assert {"--page=0.0.0.0:8083", "--page-host=fleet.example.com"} <= set(opened["args"])
    ports = [{port["name"] for port in container["ports"]} for container in (closed, inside, opened)]
    assert ports == [{"health", "metrics"}, {"health", "metrics"}, {"health", "metrics", "page"}]


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("peers", [[], [{"podSelector": {"matchLabels": {"app": "proxy"}}}]])
def test_only_named_peers_may_ask_for_the_page(helm: Helm, bound: str, peers: list[Any]) -> None:
    page = {"enabled": True, "bindAddress": bound, "from": peers}
    objects = helm.rendered(with_(LEAST, page=page, networkPolicy__enabled=True))
    rules = one(objects, "NetworkPolicy", "foretide-operator")["spec"]["ingress"]
    found = [rule["from"] for rule in rules if rule["ports"] == [{"port": "page"}]]
    assert found == ([peers] if peers and bound == "0.0.0.0" else [])


REFUSED = [
    ({"image__pullPolicy": "always"}, "/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
    ({"image__digest": "sha256:12"}, "/image/digest", "does not match"),
    ({"image__repository": "Registry/X"}, "/image/repository", "does not match"),
    ({f"{SOURCE}__address": "prometheus:9090"}, "/sources/default/address", "^https?://"),
    ({f"{SOURCE}__address": "http://admin:secret@prometheus"}, "/sources/default/address", "does not match"),
    ({f"{SOURCE}__address": "http://prometheus/?x=1"}, "/sources/default/address", "does not match"),
    ({"sources": {"Default": {"address": "http://x"}}}, "/sources", "properties 'Default' not allowed"),
    ({"targets": {"*": ["deployments"]}}, "/targets", "properties '*' not allowed"),
    ({f"{SOURCE}__url": "http://x"}, "/sources/default", "additional properties 'url' not allowed"),
    ({f"{SOURCE}__ca": {"key": "ca.crt"}}, "/sources/default/ca", "missing property 'configMap'"),
    ({f"{SOURCE}__ca": {**CA, "secret": "x"}}, "/sources/default/ca", "oneOf"),
    ({f"{SOURCE}__token": {"secret": "x"}}, "/sources/default/token", "missing property 'key'"),
    ({f"{SOURCE}__token": "abc"}, "/sources/default/token", "got string, want object"),
    ({"namespaces": "prod"}, "/namespaces", "got string, want array"),
    ({"namespaces": ["a", "a"]}, "/namespaces", "equal"),
    ({"targets__apps": ["*"]}, "/targets/apps/0", "does not match"),
    ({"targets__apps": ["deployments/scale"]}, "/targets/apps/0", "does not match"),
    ({"settings__planInterval": 60}, "/settings/planInterval", "got number, want string"),
    ({"settings__planInterval": "60"}, "/settings/planInterval", "does not match"),
    ({"settings__planIntervall": "60s"}, "/settings", "additional properties 'planIntervall' not allowed"),
    ({"settings__coldStartSigma": 0}, "/settings/coldStartSigma", "exclusiveMinimum"),
    ({"settings__maxBody": 2**24}, "/settings/maxBody", "maximum"),
    ({"operator__replicas": "2"}, "/operator/replicas", "got string, want integer"),
    ({"operator__replicas": -1}, "/operator/replicas", "minimum"),
    ({"operator__extraArgs": ["verbose"]}, "/operator/extraArgs/0", "does not match"),
    ({"operator__resources__limits": {"memory": "1 GB"}}, "/operator/resources/limits/memory", "does not match"),
    ({"operator__podLabels": {"team": 7}}, "/operator/podLabels/team", "got number, want string"),
    ({"forecast__mode": "network"}, "/forecast/mode", "'ladder', 'inProcess', 'service'"),
    ({"forecast__network__path": "networks"}, "/forecast/network/path", "does not match"),
    ({"forecast__service__threads": 0}, "/forecast/service/threads", "minimum"),
    ({"keda__enabled": "yes"}, "/keda/enabled", "got string, want boolean"),
    ({"keda__staleAfter": "180"}, "/keda/staleAfter", "does not match"),
    ({"keda__port": 1}, "/keda", "additional properties 'port' not allowed"),
    ({"page__enabled": "yes"}, "/page/enabled", "got string, want boolean"),
    ({"page__bindAddress": "example.com"}, "/page/bindAddress", "'127.0.0.1', '[::1]', '0.0.0.0', '[::]'"),
    ({"page__hosts": ["http://x"]}, "/page/hosts/0", "does not match"),
    ({"podSecurityContext__runAsNonRoot": False}, "/podSecurityContext/runAsNonRoot", "must be true"),
    ({"podSecurityContext__runAsUser": 0}, "/podSecurityContext/runAsUser", "minimum"),
    ({"networkPolicy__apiServerPorts": [70000]}, "/networkPolicy/apiServerPorts/0", "maximum"),
    ({"monitoring__interval": "30"}, "/monitoring/interval", "does not match"),
    ({"monitoring__podMonitor": "yes"}, "/monitoring/podMonitor", "got string, want boolean"),
    ({"operatr": {}}, "", "additional properties 'operatr' not allowed"),
]


@pytest.mark.parametrize(("changes", "path", "words"), REFUSED, ids=str)
def test_a_wrong_value_is_refused_with_its_path(helm: Helm, changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(HelmFailed) as refusal:
        helm.rendered(with_(LEAST, **changes))
    complaint = str(refusal.value)
    assert f"at '{path}'" in complaint
    assert words in complaint


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("sources", "sources: none given; name your Prometheus, like --set sources.default.address="),
        ("image", "image.repository: none given; build the image with the Containerfile"),
    ],
)
def test_what_nobody_can_guess_is_asked_for(helm: Helm, left_out: str, words: str) -> None:
    with pytest.raises(HelmFailed) as refusal:
        helm.rendered({name: value for name, value in LEAST.items() if name != left_out})
    assert words in str(refusal.value)
