"""KEDA is asked, answered, and follows; or it says why not, and so do we."""

from typing import Any

import pytest

from foretide.operator.keda.carried import Uncarried, uncarried

Body = dict[str, Any]


def scaled_object(*, annotations: dict[str, str] | None = None, ready: str = "True", message: str = "") -> Body:
    meta = {"name": "llama"} | ({"annotations": annotations} if annotations is not None else {})
    return {
        "kind": "ScaledObject",
        "metadata": meta,
        "status": {"conditions": [{"type": "Ready", "status": ready, "message": message}]},
    }


def hpa(*names: str, owner: str = "llama", **condition: str) -> Body:
    external = [{"type": "External", "external": {"metric": {"name": name}}} for name in names]
    return {
        "kind": "",
        "metadata": {"name": f"keda-hpa-{owner}", "ownerReferences": [{"kind": "ScaledObject", "name": owner}]},
        "spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu"}}, *external]},
        "status": {"conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive"} | condition]},
    }


OURS = "s1-desired-replicas"


def test_an_hpa_that_reads_our_metric_follows() -> None:
    assert uncarried(scaled_object(), [hpa(OURS, status="True", reason="ValidMetricFound")]) is None
    assert uncarried(scaled_object(), [hpa("desired-replicas", status="True")]) is None


@pytest.mark.parametrize("rivals", [[], [hpa("s0-prometheus", owner="other")], [{"metadata": {"name": "by-hand"}}]])
def test_where_keda_has_not_made_one_yet_nothing_is_known_against_it(rivals: list[Body]) -> None:
    assert uncarried(scaled_object(), rivals) is None


@pytest.mark.parametrize("found", [hpa("s0-prometheus"), hpa(), hpa("s0-undesired-replicas-too"), hpa() | {"spec": {}}])
def test_an_hpa_without_our_metric_is_named_with_the_fix(found: Body) -> None:
    told = uncarried(scaled_object(), [found])
    assert told == Uncarried(
        "MetricMissing",
        "HorizontalPodAutoscaler keda-hpa-llama has no metric desired-replicas, which is ours; "
        "restore the trigger in ScaledObject llama; KEDA then writes its HPA anew",
    )


def test_an_hpa_that_cannot_read_our_metric_passes_its_words_on() -> None:
    broken = {
        "status": "False",
        "reason": "FailedGetExternalMetric",
        "message": "unable to fetch metrics: 503" + "x" * 500,
    }
    told = uncarried(scaled_object(), [hpa(OURS, **broken)])
    assert told is not None
    assert told.reason == "MetricUnread"
    assert "unable to fetch metrics: 503" in told.message
    assert "scalerAddress" in told.message
    assert len(told.message) < 512


def test_an_hpa_that_is_off_for_another_reason_is_not_ours_to_judge() -> None:
    """At zero replicas HPA says ScalingDisabled."""
    assert uncarried(scaled_object(), [hpa(OURS, status="False", reason="ScalingDisabled")]) is None


@pytest.mark.parametrize(
    ("annotations", "by"),
    [
        ({"autoscaling.keda.sh/paused": "true"}, "paused"),
        ({"autoscaling.keda.sh/paused-replicas": "0"}, "paused-replicas"),
    ],
)
def test_a_paused_one_is_told_with_its_annotation(annotations: dict[str, str], by: str) -> None:
    told = uncarried(scaled_object(annotations=annotations), [])
    assert told is not None
    assert told.reason == "KedaPaused"
    assert f"autoscaling.keda.sh/{by};" in told.message


def test_an_annotation_that_says_false_pauses_nothing() -> None:
    assert uncarried(scaled_object(annotations={"autoscaling.keda.sh/paused": "false"}), [hpa(OURS)]) is None


def test_what_keda_says_of_its_scaled_object_is_passed_on() -> None:
    told = uncarried(
        scaled_object(ready="False", message="ScaledObject doesn't have correct triggers specification"), []
    )
    assert told is not None
    assert told.reason == "KedaNotReady"
    assert "correct triggers specification" in told.message


def test_one_that_says_nothing_yet_is_well() -> None:
    assert uncarried({"metadata": {"name": "llama"}, "status": None}, []) is None
