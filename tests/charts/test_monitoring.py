"""Alerts, dashboard and monitors against what they are for: a real Prometheus, the Prometheus operator's own CRDs."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from crds import established
from helm import CHART, LEAST, Helm, one, with_

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.binaries import _go, cache_folder
from foretide.cli.bed.processes import free_port, start, stop, wait_for

pytestmark = pytest.mark.bed
MONITORED = with_(
    LEAST,
    monitoring={"podMonitor": True, "serviceMonitor": True, "prometheusRule": True, "dashboard": True},
)
CRDS_OF = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
THEIR_SUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
KINDS = ("podmonitors", "servicemonitors", "prometheusrules")
ALERTS = CHART / "files" / "alerts.yaml"


@pytest.fixture
def monitored(bed: Bed) -> Iterator[Bed]:
    """A bed that knows the kinds of the Prometheus operator, from its Go module."""
    settings = os.environ | {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    arguments = [_go(cache_folder()), "mod", "download", "-json", CRDS_OF]
    found = json.loads(subprocess.run(arguments, cwd="/", env=settings, capture_output=True, check=True).stdout)
    assert found["Sum"] == THEIR_SUM
    folder = Path(found["Dir"], "example", "prometheus-operator-crd")
    crds = [str(folder / f"monitoring.coreos.com_{kind}.yaml") for kind in KINDS]
    for crd in crds:
        bed.kubectl("apply", "--server-side", "-f", crd)
    established(bed, *(f"{kind}.monitoring.coreos.com" for kind in KINDS))
    yield bed
    for crd in crds:
        bed.kubectl("delete", "-f", crd, "--wait")


@pytest.fixture
def prometheus(bed: Bed, tmp_path: Path) -> Iterator[str]:
    """A Prometheus of its own with the chart's rules, judged every second, and no targets."""
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"global": {"evaluation_interval": "1s"}, "rule_files": [str(ALERTS)]}))
    address = f"127.0.0.1:{free_port()}"
    flags = (f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}")
    process = start("prometheus", [bed.programs["prometheus"], *flags], log=tmp_path / "log", attached=True)
    url = f"http://{address}"
    wait_for(lambda: "data" in answer(f"{url}/api/v1/rules"), what="prometheus", by=[process])
    yield url
    stop([process])


def answer(url: str) -> dict[str, Any]:
    """The JSON at an address; nothing where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as page:
            found: dict[str, Any] = json.load(page)
            return found
    except urllib.error.HTTPError as error:
        with error:
            return {"error": error.read().decode()}
    except OSError:
        return {}


def rules(url: str) -> list[dict[str, Any]]:
    return [rule for group in answer(f"{url}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]


def test_prometheus_judges_every_alert_and_misses_a_leader_where_there_is_none(prometheus: str) -> None:
    written = [rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    wait_for(lambda: all(rule["health"] == "ok" for rule in rules(prometheus)), what="judged rules")
    states = {rule["name"]: rule["state"] for rule in rules(prometheus)}
    assert list(states) == written
    assert {name for name, state in states.items() if state != "inactive"} == {"ForetideNobodyLeads"}


def test_prometheus_understands_every_query_of_the_dashboard(prometheus: str) -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 15
    for query in queries:
        filled = re.sub(r"\$\w+", ".*", query)
        said = answer(f"{prometheus}/api/v1/query?query={urllib.parse.quote(filled)}")
        assert said.get("status") == "success", (query, said)


def test_the_kinds_of_the_prometheus_operator_are_accepted_by_its_own_schemas(
    monitored: Bed, helm: Helm, namespace: str
) -> None:
    objects = helm.rendered(MONITORED, namespace=namespace)
    asked = {
        body["kind"]: body for body in objects if body["kind"] in ("PodMonitor", "ServiceMonitor", "PrometheusRule")
    }
    assert len(asked) == 3
    for body in (*asked.values(), one(objects, "ConfigMap", "foretide-dashboard")):
        monitored.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(body))


def test_the_monitors_find_the_port_and_the_pods(helm: Helm) -> None:
    objects = helm.rendered(MONITORED)
    pod = one(objects, "Deployment", "foretide-operator")["spec"]["template"]
    service = one(objects, "Service", "foretide-operator")
    (endpoint,) = one(objects, "PodMonitor", "foretide-operator")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    for kind, labels in (("PodMonitor", pod["metadata"]["labels"]), ("ServiceMonitor", service["metadata"]["labels"])):
        selector = one(objects, kind, "foretide-operator")["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert yaml.safe_load(ALERTS.read_text()) == one(objects, "PrometheusRule", "foretide")["spec"]
    stored = one(objects, "ConfigMap", "foretide-dashboard")["data"]["foretide.json"]
    assert stored == (CHART / "files" / "dashboard.json").read_text()
