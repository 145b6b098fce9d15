import yaml

from foretide.cli.bed.kwok_stages import PodTimes, stages


def delays(times: PodTimes) -> dict[str, dict]:
    found = yaml.safe_load_all(stages(times))
    return {stage["metadata"]["name"]: stage["spec"].get("delay", {}) for stage in found}


def test_every_phase_of_a_pod_and_of_a_node_has_a_stage() -> None:
    assert set(delays(PodTimes())) == {
        "node-ready",
        "pod-run",
        "pod-ready",
        "pod-gate-opens",
        "pod-gate-shuts",
        "pod-delete",
    }


def test_start_and_stop_take_as_long_as_asked_for() -> None:
    found = delays(PodTimes(start_s=1.5, start_at_most_s=4.0, stop_s=0.2))
    assert found["pod-ready"]["durationMilliseconds"] == 1500
    assert found["pod-ready"]["jitterDurationMilliseconds"] == 4000
    assert found["pod-delete"]["durationMilliseconds"] == 200


def test_a_longest_start_below_the_shortest_changes_nothing() -> None:
    # KWOK takes the smaller of the two where the spread is upside down
    assert delays(PodTimes(start_s=5.0, start_at_most_s=1.0))["pod-ready"]["jitterDurationMilliseconds"] == 5000


def test_annotations_of_a_pod_win() -> None:
    delay = delays(PodTimes())["pod-ready"]
    assert "foretide.io/start-delay" in delay["durationFrom"]["jq"]["expression"]
    # without a spread of its own the pod's delay is exact, whatever the bed's spread
    assert delay["jitterDurationFrom"]["jq"]["expression"].count("foretide.io/start-delay") == 2
