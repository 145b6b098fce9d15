"""Chart and operator are of one version: what the one says, the other understands."""

import json
import re
from typing import Any

import typer
import yaml
from helm import CHART
from prometheus_client.parser import text_string_to_metric_families

from foretide.cli.main import app
from foretide.operator.schema import crd_path
from foretide.operator.telemetry import Telemetry

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
ALERTS = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())


def test_the_crd_is_the_one_that_the_operator_prints() -> None:
    (crd,) = (CHART / "crds").iterdir()
    assert crd.read_bytes() == crd_path().read_bytes()


def test_the_chart_carries_the_version_of_the_package() -> None:
    from importlib.metadata import version

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == version("foretide")


def test_every_setting_is_an_option_of_the_operator() -> None:
    command: Any = typer.main.get_command(app)
    options = {name for option in command.commands["operator"].params for name in option.opts}
    settings = SCHEMA["properties"]["settings"]["properties"]
    assert {"--" + re.sub(r"([A-Z])", r"-\1", name).lower() for name in settings} <= options


def test_every_default_is_known_to_the_schema_and_the_other_way_round() -> None:
    open_ends = {"global", "sources", "targets", "settings", "podSecurityContext"}

    def compare(values: Any, schema: dict[str, Any], path: str) -> None:
        properties = schema.get("properties")
        if properties is None or path.lstrip(".") in open_ends or not isinstance(values, dict):
            return
        assert set(values) == set(properties) - {"global"}, path
        for name, value in values.items():
            compare(value, properties[name], f"{path}.{name}")

    compare(VALUES, SCHEMA, "")


def metric_names() -> set[str]:
    """Every name on the operator's page, as Prometheus stores it."""
    telemetry = Telemetry(version="test")
    families = text_string_to_metric_families(telemetry.page().decode())
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, ())}


def test_every_alert_asks_for_metrics_that_the_operator_has() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    for rule in rules:
        asked = set(re.findall(r"foretide_\w+", rule["expr"]))
        assert asked, rule["alert"]
        assert asked <= metric_names(), rule["alert"]


def test_every_alert_has_a_runbook_and_names_it() -> None:
    headings = re.findall(
        r"^### (\w+)$", (CHART.parents[1] / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert headings == [rule["alert"] for rule in rules]
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/troubleshooting.md#{rule['alert'].lower()}"


def test_the_dashboard_shows_metrics_that_the_operator_has_and_all_that_matter() -> None:
    panels = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    shown = {
        name
        for panel in panels
        for target in panel.get("targets", ())
        for name in re.findall(r"foretide_\w+", target["expr"])
    }
    assert shown <= metric_names()
    assert {"foretide_replicas", "foretide_violation_probability_ratio", "foretide_blind_targets"} <= shown
    assert {"foretide_forecast_skill_ratio", "foretide_forecast_crps_ratio"} <= shown
    assert {name for name in metric_names() if name.startswith("foretide_scorecard_")} - shown == {
        "foretide_scorecard_judged_hours"
    }
    assert len({panel["id"] for panel in panels}) == len(panels)
