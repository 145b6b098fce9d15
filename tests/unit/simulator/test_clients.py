"""Clients send as ServeGen's do: gaps as declared in variation and distribution, a few with most of the load."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.simulator.clients import Client, arrivals, draw_clients, overdispersion, renewals, weibull_form

DATA = os.environ.get("FORETIDE_DATA", "")
GAPS = 4000
"""Gaps of a sample; batches of it say how far a statistic of that many may be off."""
needs_rates = pytest.mark.skipif(not DATA, reason="FORETIDE_DATA is not set: servegen_client_rates was not read")


def gaps_of(client: Client, *, count: int = GAPS, seed: int = 0) -> np.ndarray:
    return np.diff(renewals(np.random.default_rng(seed), float(count), client), prepend=0.0)


@pytest.mark.parametrize("weibull", [False, True])
@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0])
def test_gaps_have_a_mean_of_one_and_the_declared_variation(cv: float, weibull: bool) -> None:
    batches = [gaps_of(Client(1.0, cv, weibull), seed=seed) for seed in range(30)]
    variations = np.array([gaps.std() / gaps.mean() for gaps in batches])
    everything = np.concatenate(batches)
    assert everything.mean() == pytest.approx(1.0, abs=4 * cv / np.sqrt(len(everything)))
    # The variation of a batch is off by its own standard deviation, and a little low where tails are long.
    assert variations.mean() == pytest.approx(cv, abs=4 * variations.std() / np.sqrt(30) + 3 * cv / GAPS**0.75)


@given(form=st.floats(min_value=0.2, max_value=20.0))
def test_a_weibull_shape_is_found_from_its_variation(form: float) -> None:
    reference = stats.weibull_min(form)
    assert weibull_form(reference.std() / reference.mean()) == pytest.approx(form, rel=1e-3)


@given(
    count=st.integers(min_value=1, max_value=200),
    zipf=st.floats(min_value=0.0, max_value=3.0),
    seed=st.integers(min_value=0, max_value=2**31),
)
def test_shares_follow_zipf_and_add_up_to_all(count: int, zipf: float, seed: int) -> None:
    clients = draw_clients(
        np.random.default_rng(seed), count=count, zipf=zipf, burstiness=1.5, spread=0.4, gaps="mixed"
    )
    shares = np.array([client.share for client in clients])
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(shares[0] / shares, np.arange(1, count + 1) ** zipf, rtol=1e-9)


def test_a_median_of_high_variation_is_not_cut_down() -> None:
    rng = np.random.default_rng(0)
    clients = draw_clients(rng, count=2000, zipf=1.0, burstiness=8.0, spread=0.4, gaps="gamma")
    # The median of n lognormals is off by about 1.25 sigma / sqrt(n) in its log.
    assert np.median([client.cv for client in clients]) == pytest.approx(8.0, rel=4 * 1.25 * 0.4 / np.sqrt(2000))


def test_mixed_gaps_give_some_clients_weibull_gaps_and_the_others_gamma() -> None:
    drawn = draw_clients(np.random.default_rng(0), count=1000, zipf=0.0, burstiness=1.0, spread=0.1, gaps="mixed")
    assert sum(client.weibull for client in drawn) == pytest.approx(300, abs=4 * np.sqrt(1000 * 0.3 * 0.7))


def test_counts_spread_as_much_as_the_clients_variations_say() -> None:
    """Variance over mean of the counts of a renewal process tends to cv^2 (Cox, Renewal Theory)."""
    rng = np.random.default_rng(0)
    clients = draw_clients(rng, count=3, zipf=0.5, burstiness=2.0, spread=0.2, gaps="gamma")
    edges = np.linspace(0.0, 400_000.0, 2)
    counts = np.histogram(arrivals(rng, clients, edges, np.array([1.0])), bins=1000, range=(0, 400_000))[0]
    found = counts[10:].var() / counts[10:].mean()
    assert found == pytest.approx(overdispersion(clients), rel=4 * np.sqrt(2 / 990) + 0.05)


@given(seed=st.integers(min_value=0, max_value=1000), quiet=st.floats(min_value=0.0, max_value=1.0))
@settings(max_examples=20)
def test_arrivals_ascend_within_the_edges_and_follow_the_rate(seed: int, quiet: float) -> None:
    edges, rate = np.array([-500.0, 0.0, 1000.0]), np.array([quiet, 2.0])
    clients = [Client(0.7, 1.0), Client(0.3, 0.5, weibull=True)]
    found = arrivals(np.random.default_rng(seed), clients, edges, rate)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= -500.0
    assert found.max() <= 1000.0
    for part, mean in ((found < 0, 500 * quiet), (found >= 0, 2000)):
        assert part.sum() == pytest.approx(mean, abs=6 * np.sqrt(mean) + 6)


@pytest.mark.data
@needs_rates
@pytest.mark.parametrize("kind", ["Gamma", "Weibull"])
def test_gaps_are_distributed_as_servegens_windows_say(kind: str) -> None:
    """Published shape and scale of random windows of 10 minutes against gaps made from the variation alone."""
    rates = pd.read_parquet(Path(DATA) / "series/servegen_client_rates.parquet")
    usual = rates[(rates.iat_dist == kind) & rates.dist_p1.between(0.3, 5.0)].sample(25, random_state=1)
    for shape, scale in zip(usual.dist_p1, usual.dist_p2, strict=True):
        law = stats.gamma(shape, scale=scale) if kind == "Gamma" else stats.weibull_min(shape, scale=scale)
        made = gaps_of(Client(1.0, law.std() / law.mean(), kind == "Weibull"), seed=3) * law.mean()
        # One of 50 samples is refused wrongly with a probability below 0.5 %.
        assert stats.kstest(made, law.cdf).pvalue > 1e-4


@pytest.mark.data
@needs_rates
def test_the_load_is_as_concentrated_as_in_servegens_models() -> None:
    rates = pd.read_parquet(Path(DATA) / "series/servegen_client_rates.parquet")
    published = []
    for _, model in rates.groupby("model"):
        loads = model.groupby("client_id").rate_rps.sum().sort_values(ascending=False)
        published.append(loads.head(10).sum() / loads.sum())
    usual = draw_clients(np.random.default_rng(0), count=24, zipf=1.1, burstiness=1.5, spread=0.4, gaps="gamma")
    assert min(published) < sum(client.share for client in usual[:10]) < max(published)
