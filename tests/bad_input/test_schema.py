"""Bad resources on a real API server: those of the catalogue that no other test of the schema has."""

import json
import os
from typing import Any

import pytest
import yaml

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import BedFailed
from foretide.operator.resource import parse

pytestmark = pytest.mark.bed
EVENT = {"start": "2027-03-01T09:00:00Z", "end": "2027-03-01T10:30:00Z", "expectedDemand": "3x"}


def written(most: Any = 4, **spec: Any) -> dict[str, Any]:
    pool = {"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": most}
    usual = {"model": "llama", "objective": {"ttft": {"threshold": "500ms"}}, "pools": [pool]}
    return {
        "apiVersion": "autoscaling.foretide.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "llama"},
        "spec": usual | spec,
    }


def complaint(bed: Bed, text: str, namespace: str, *options: str) -> str:
    with pytest.raises(BedFailed) as refusal:
        bed.kubectl("create", "-n", namespace, "--dry-run=server", *options, "-f", "-", stdin=text)
    return str(refusal.value)


def posted(bed: Bed, text: str, namespace: str, *, strict: bool) -> dict[str, Any]:
    """Past kubectl, which reads JSON itself and sends what it made of it."""
    validation = "Strict" if strict else "Ignore"
    path = f"/apis/autoscaling.foretide.io/v1alpha1/namespaces/{namespace}/inferenceautoscalers"
    asked = f"{path}?dryRun=All&fieldValidation={validation}"
    stored: dict[str, Any] = json.loads(bed.kubectl("create", "--raw", asked, "-f", "-", stdin=text))
    return stored


@pytest.mark.parametrize("number", ["NaN", "1e400"])
def test_no_number_is_refused(with_crd: Bed, namespace: str, number: str) -> None:
    text = json.dumps(written(most=123454321)).replace("123454321", number)
    with pytest.raises(BedFailed, match=r"json: cannot unmarshal number|json parse error"):
        posted(with_crd, text, namespace, strict=False)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"objective": {"ttft": {"threshold": "1e9h"}}}, "spec.objective.ttft.threshold"),
        ({"model": None}, "spec.model"),
        ({"metrics": {"source": "file:///etc/passwd"}}, "spec.metrics.source"),
        ({"metrics": {"source": "http://169.254.169.254/"}}, "spec.metrics.source"),
        ({"metrics": {"source": "http://user:pw@host"}}, "spec.metrics.source"),
        ({"metrics": {"source": "http://2852039166/"}}, "spec.metrics.source"),
        ({"metrics": {"source": "http://[::ffff:a9fe:a9fe]/"}}, "spec.metrics.source"),
        ({"metrics": {"source": "default\u202e"}}, "spec.metrics.source"),
        ({"metrics": {"gateway": "a\tb"}, "engine": "epp"}, "spec.metrics.gateway"),
    ],
    ids=str,
)
def test_it_is_refused_with_its_field(with_crd: Bed, namespace: str, spec: dict[str, Any], field: str) -> None:
    assert field in complaint(with_crd, json.dumps(written(**spec)), namespace)
    assert any(problem.startswith(field) for problem in parse(written(**spec)).problems), "and by the operator"


def test_annotations_of_300_kb_are_refused(with_crd: Bed, namespace: str) -> None:
    body = written()
    body["metadata"]["annotations"] = {"note": "x" * 300_000}
    assert "262144 bytes" in complaint(with_crd, json.dumps(body), namespace)


def test_of_a_key_that_is_written_twice_the_last_one_counts_and_is_checked(with_crd: Bed, namespace: str) -> None:
    def twice(first: int, second: int) -> str:
        text = json.dumps(written(most=first))
        return text.replace(f'"maxReplicas": {first}', f'"maxReplicas": {first}, "maxReplicas": {second}')

    assert posted(with_crd, twice(9, 7), namespace, strict=False)["spec"]["pools"][0]["maxReplicas"] == 7
    for text, strict in ((twice(9, 7), True), (twice(9, 20_000), False)):
        with pytest.raises(BedFailed):
            posted(with_crd, text, namespace, strict=strict)


def test_a_whole_number_with_a_point_is_none_to_the_rules_of_the_schema(with_crd: Bed, namespace: str) -> None:
    with pytest.raises(BedFailed, match=r"spec.pools\[0\]: Invalid value.*expected int, got float64"):
        posted(with_crd, json.dumps(written(most=4.0)), namespace, strict=False)
    found = parse(written(most=4.0)).resource
    assert found is not None
    assert repr(found.pool.max_replicas) == "4"


@pytest.mark.parametrize(
    "spec", [{"schedule": [EVENT] * 4000}, {"model": os.urandom(500_000).hex()}], ids=["4000 events", "1 MB"]
)
def test_lists_and_texts_without_measure_are_refused(with_crd: Bed, namespace: str, spec: dict[str, Any]) -> None:
    assert "Too" in complaint(with_crd, json.dumps(written(**spec)), namespace)
    assert parse(written(**spec)).problems


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha2"])
def test_another_version_is_not_known(with_crd: Bed, namespace: str, version: str) -> None:
    body = written() | {"apiVersion": f"autoscaling.foretide.io/{version}"}
    assert "no matches for kind" in complaint(with_crd, yaml.safe_dump(body), namespace)
