"""The plain ladder against the same arithmetic written down once more: pairwise CRPS, explicit sums, no shared code.

What the two share are the tiers themselves; scores, weights, shares, rehearsal and maturity are done again here.
"""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.ets import DampedTrend
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Past, past_of
from foretide.forecaster.persistence import COUNTED, PersistenceBootstrap
from foretide.forecaster.recent import Recent
from foretide.forecaster.regression import Regression
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.forecaster.tier import ceiling
from foretide.policies.flow import DemandHistory, Floats

HORIZON, PATHS, SEASON_S = 16, 64, 90 * 60.0
KEEP, KEEP_PEAKS = 0.5 ** (1 / 60), 0.5 ** (1 / 300)


def pairwise_crps(samples: Floats, actual: float) -> float:
    samples, count = samples.astype(np.float64), len(samples)
    between = np.abs(samples[:, None] - samples[None]).sum() / (count * (count - 1))
    return float(np.abs(samples - actual).mean() - between / 2)


class Again:
    """The ladder, naively: every score is kept, every weight is summed from the beginning."""

    def __init__(self) -> None:
        counts = PersistenceBootstrap(scale=COUNTED, name="count-bootstrap")
        level = PersistenceBootstrap(scale=COUNTED, smoothing=0.3, name="level-bootstrap")
        season = (Regression(season_s=SEASON_S), DampedTrend(), SeasonalWindows(season_s=SEASON_S))
        self.tiers = (PersistenceBootstrap(), counts, level, Recent(), *season)
        self.log: list[dict[str, float]] = []
        self.peaks: list[dict[str, float]] = []
        self.waiting: list[tuple[int, float, dict[str, Floats], Floats, dict[str, float]]] = []

    def relative(self, name: str, log: list[dict[str, float]], keep: float) -> float:
        """Weighted loss of a tier over that of the reference, each with five origins as the reference's own mean."""
        ref, count = "persistence-bootstrap", len(log)
        if not any(name in row for row in log):
            return 1.0
        mass = sum(keep**i for i in range(count))
        mean = sum(keep ** (count - 1 - i) * row[ref] for i, row in enumerate(log)) / mass
        seen = [(row[name], row[ref]) for row in log if name in row]
        own, other = (sum(keep ** (len(seen) - 1 - i) * pair[k] for i, pair in enumerate(seen)) for k in (0, 1))
        return (own + 5 * mean) / (other + 5 * mean)

    def weights(self, names: list[str]) -> dict[str, float]:
        losses = {
            name: self.relative(name, self.log, KEEP) ** 0.7 * self.relative(name, self.peaks, KEEP_PEAKS) ** 0.3
            for name in names
        }
        earned = {name: (min(losses.values()) / loss) ** 12 for name, loss in losses.items()}
        heard = {name: one if one >= 0.25 else 0.0 for name, one in earned.items()}
        return {name: one / sum(heard.values()) for name, one in heard.items()}

    def turn(self, past: Past, count: int, seed: int) -> tuple[Floats, dict[str, int]]:
        drawn = {}
        for index, tier in enumerate(self.tiers):
            rng = np.random.default_rng([seed, index])
            paths = tier.paths(past=past, horizon=HORIZON, count=max(count, 48), rng=rng)
            if paths is not None:
                drawn[tier.name] = np.clip(paths, 0, ceiling(past, HORIZON))
        exact = {name: share * count for name, share in self.weights(list(drawn)).items()}
        shares = {name: int(np.floor(share)) for name, share in exact.items()}
        for name in sorted(exact, key=lambda n: exact[n] - shares[n], reverse=True)[: count - sum(shares.values())]:
            shares[name] += 1
        pooled = np.concatenate([drawn[name][: shares[name]] for name in drawn])
        rows = len(past.known)
        if not self.waiting or rows >= max(made for made, *_ in self.waiting) + HORIZON // 8:
            some = pooled[np.linspace(0, count - 1, min(count, 48)).round().astype(int), :, 0]
            kept = {name: paths[:48, :, 0].astype(np.float32) for name, paths in drawn.items()}
            held = {name: float(np.quantile(paths[:, :, 0].max(axis=1), 0.95)) for name, paths in drawn.items()}
            self.waiting.append((rows, float(past.newest[0]), kept, some.astype(np.float32), held))
        return pooled, shares

    def mature(self, past: Past) -> None:
        rows = past.known[:, 0]
        for made, last, tiers, pooled, held in [one for one in self.waiting if one[0] + HORIZON <= len(rows)]:
            steps = [h for h in range(HORIZON) if np.isfinite(rows[made + h])]
            mean = {n: np.mean([pairwise_crps(s[:, h], rows[made + h]) for h in steps]) for n, s in tiers.items()}
            mean["pool"] = np.mean([pairwise_crps(pooled[:, h], rows[made + h]) for h in steps])
            mean["last value"] = np.mean([abs(last - rows[made + h]) for h in steps])
            self.log.append({name: float(value) for name, value in mean.items()})
            if len(steps) == HORIZON:
                missed = {name: rows[made : made + HORIZON].max() - one for name, one in held.items()}
                self.peaks.append({name: max(0.95 * miss, -0.05 * miss) for name, miss in missed.items()})
        self.waiting = [one for one in self.waiting if one[0] + HORIZON > len(rows)]

    def rehearse(self, past: Past) -> None:
        for rows in range(max(5, len(past.known) - 60 * (HORIZON // 2)), len(past.known), HORIZON // 2):
            then = past.until(rows)
            if then.count >= 5 and then.age <= 3:
                self.mature(then)
                self.turn(then, 96, rows)
        self.mature(past)


def test_the_plain_ladder_does_what_it_says(history: Callable[..., DemandHistory], days: Callable[..., Floats]) -> None:
    rates = days(150, period=90, seed=4)
    rates[60:62] = np.nan
    ladder, again, mixed = Ladder(season_s=SEASON_S, calibration=False), Again(), 0
    for end in range(120, 150, 3):
        told = history(rates[:end])
        made = ladder.forecast(history=told, horizon=HORIZON, paths=PATHS, seed=end)
        past = past_of(told)
        if end == 120:
            again.rehearse(past)
        else:
            again.mature(past)
        expected, shares = again.turn(past, PATHS, end)
        assert made is not None
        assert made.weights == {name: share / PATHS for name, share in shares.items() if share}
        np.testing.assert_allclose(made.paths, expected, rtol=1e-12)
        assert made.score is not None
        count = len(again.log)
        mass = sum(KEEP**i for i in range(count))
        for name, told_score in (("pool", made.score.crps), ("last value", made.score.crps_last_value)):
            mean = sum(KEEP ** (count - 1 - i) * row[name] for i, row in enumerate(again.log)) / mass
            assert told_score == pytest.approx(mean, rel=1e-5)
        assert made.score.origins == count
        mixed += len(made.weights) > 1
    assert mixed
