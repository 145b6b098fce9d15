"""What `foretide explain` says of warmth."""

from foretide.cli.warm_story import warm_lines


def test_a_target_without_an_account_has_no_lines() -> None:
    assert warm_lines({}) == []


def test_costs_cold_starts_and_wakes_are_told_with_their_units() -> None:
    told = {
        "since": "2026-11-27T08:00:00Z",
        "idleGPUHours": {"ready": "1.5000", "sleeping": "0.2500"},
        "coldStartedRequests": 7,
        "podsEnded": 4,
        "podsUtilityBelow1": 1,
        "wakes": [{"tier": "zero", "count": 3, "mean": "61.0s", "last": "58.0s"}],
    }
    cost, use = warm_lines(told)
    assert cost.startswith(
        "  warmth since 2026-11-27T08:00:00Z: GPU-hours kept while nobody asked: ready 1.5000, sleep"
    )
    assert cost.endswith("; requests that met a cold start: at least 7")
    assert use.startswith("  1 of 4 pods that went were of less use than their start took; time to ready: from zero")
    assert use.endswith("61.0s on average of 3, last 58.0s")
