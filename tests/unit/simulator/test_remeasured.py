"""Longer answers ask for another capacity, which is there a minute later; what comes back is known at once."""

from dataclasses import replace

import numpy as np
import pytest
from staged import OBJECTIVE, SERVICE

from foretide.policies.flow import DemandHistory, ServiceModel, Trust, frozen
from foretide.simulator import remeasured
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.remeasured import MEASURING_S, Learned, Remeasured

DEPLOYMENT = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
LEARNED = Learned(DEPLOYMENT, OBJECTIVE, np.full(50, 1000), np.full(50, 200))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Mean lengths of every measurement."""
    found: list[tuple[float, float]] = []

    def measured(**told: object) -> ServiceModel:
        lengths = told["prompt_tokens"], told["output_tokens"]
        found.append((float(np.mean(lengths[0])), float(np.mean(lengths[1]))))  # type: ignore[arg-type]
        return replace(SERVICE, source=f"measured {len(found)}")

    monkeypatch.setattr(remeasured, "service_model", measured)
    return found


def history(output: float, *, prompt: float = 1000.0) -> DemandHistory:
    """Ten minutes of twenty requests/s."""
    return DemandHistory(0.0, 60.0, frozen(np.tile([20.0, 20.0 * prompt, 20.0 * output], (10, 1))), Trust.FRESH)


def test_lengths_as_learned_measure_nothing(asked: list[tuple[float, float]]) -> None:
    found = Remeasured(LEARNED, SERVICE)
    assert all(found.of(history(output), now=60.0 * minute) is SERVICE for minute, output in enumerate((200, 170, 260)))
    assert asked == []


def test_longer_answers_are_measured_for_and_known_a_minute_later(asked: list[tuple[float, float]]) -> None:
    found = Remeasured(LEARNED, SERVICE)
    assert found.of(history(600), now=0.0) is SERVICE
    assert found.of(history(600), now=MEASURING_S - 1) is SERVICE
    after = found.of(history(600), now=MEASURING_S)
    assert after.source == "measured 1, for 1024 prompt and 512 output tokens"
    assert asked == [(1000.0, 400.0)], "what was learned, stretched"


def test_what_was_measured_once_is_known_and_so_is_what_was_learned(asked: list[tuple[float, float]]) -> None:
    found = Remeasured(LEARNED, SERVICE)
    for now, output in enumerate((600, 600, 200, 200, 600)):
        last = found.of(history(output), now=now * MEASURING_S)
    assert "512 output" in last.source
    assert len(asked) == 1
    assert found.of(history(200), now=5 * MEASURING_S) is SERVICE


def test_without_requests_what_stood_stands(asked: list[tuple[float, float]]) -> None:
    found = Remeasured(LEARNED, SERVICE)
    found.of(history(600), now=0.0)
    stood = found.of(history(600), now=MEASURING_S)
    nothing = replace(history(600), values=frozen(np.zeros((10, 3))))
    assert found.of(nothing, now=2 * MEASURING_S) is stood
    assert len(asked) == 1


def test_stretched_lengths_still_fit_into_a_replica(asked: list[tuple[float, float]]) -> None:
    LEARNED.stretched((1e6, 1.0))
    assert asked[0][0] + asked[0][1] <= DEPLOYMENT.room
