"""What is planned together is asked together, and the ladder's own tiers never notice."""

import asyncio
from pathlib import Path

import numpy as np
from graphs import artifact, persistence
from numpy.random import default_rng

from foretide.forecaster.ladder import Ladder
from foretide.forecaster.network.schema import REPLICA
from foretide.forecaster.network.tier import NetworkTier
from foretide.operator.ahead import Ahead
from foretide.operator.networks import Networks
from foretide.operator.settings import ForecastSettings
from foretide.policies.flow import DemandForecast, DemandHistory, Trust, frozen
from foretide.policies.turn import Question


def history(seed: int, *, rows: int = 60) -> DemandHistory:
    rates = default_rng(seed).gamma(4.0, 3.0, rows)
    values = rates[:, None] * np.array([1.0, 1000.0, 200.0])
    return DemandHistory(0.0, 60.0, frozen(values), Trust.FRESH)


def forecast(ladder: Ladder, told: DemandHistory, question: Question) -> DemandForecast:
    made = ladder.forecast(history=told, horizon=question.horizon, paths=64, seed=question.seed)
    assert made is not None
    return made


async def test_every_ladder_finds_its_answer_and_it_is_the_one_it_would_have_had(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    networks = Networks(ForecastSettings(network=tmp_path))
    ahead = Ahead(networks, paths=64)
    told, question = [history(i) for i in range(6)], Question(10, seed=-12345)
    ladders = [Ladder(learned=(NetworkTier(networks.pool, f"shop/{i}"),)) for i in range(6)]
    await asyncio.gather(*(ahead.prepare(f"shop/{i}", each, question) for i, each in enumerate(told)))
    made = [forecast(ladder, each, question) for ladder, each in zip(ladders, told, strict=True)]
    assert networks.pool.read_ahead == 6
    for i, each in enumerate(told):
        alone = Ladder(learned=(NetworkTier(networks.pool, f"alone/{i}"),))
        np.testing.assert_array_equal(forecast(alone, each, question).paths, made[i].paths)
    assert networks.pool.read_ahead == 6


async def test_without_an_artifact_a_ladder_answers_as_if_there_were_no_network(tmp_path: Path) -> None:
    networks = Networks(ForecastSettings(network=tmp_path))
    ahead, question, told = Ahead(networks, paths=64), Question(10, seed=3), history(1)
    await ahead.prepare("shop/llama", told, question)
    with_it = forecast(Ladder(learned=(NetworkTier(networks.pool, "shop/llama"),)), told, question)
    np.testing.assert_array_equal(with_it.paths, forecast(Ladder(), told, question).paths)


async def test_a_graph_that_is_no_number_on_real_windows_leaves_the_ladder_alone(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA, graph=persistence(REPLICA, gain=1e38), gain=1e38)
    networks = Networks(ForecastSettings(network=tmp_path))
    ahead, question, told = Ahead(networks, paths=64), Question(10, seed=3), history(1)
    await ahead.prepare("shop/llama", told, question)
    with_it = forecast(Ladder(learned=(NetworkTier(networks.pool, "shop/llama"),)), told, question)
    np.testing.assert_array_equal(with_it.paths, forecast(Ladder(), told, question).paths)
    assert networks.told() != ""


async def test_nothing_measured_is_not_asked(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    networks = Networks(ForecastSettings(network=tmp_path))
    nothing = DemandHistory(0.0, 60.0, frozen(np.full((9, 3), np.nan)), Trust.ABSENT)
    await Ahead(networks, paths=64).prepare("shop/llama", nothing, Question(10, seed=3))
    assert networks.pool.schemas == ()
