"""Demand from counters is what was asked for: on any engine, saturated or not, and on a simulated fleet in overload."""

from dataclasses import dataclass

import numpy as np
import pytest
from hurt import steady
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.demand import EngineSamples, demand_history
from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory, frozen
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.scrapes import Scrapes

SCRAPE_S, STEP_S, PER_BIN = 15.0, 60.0, 4
PROMPT, OUTPUT = 300.0, 40.0


@dataclass(frozen=True)
class Story:
    """What really happened in an engine, scrape by scrape; `asked` and `turned_away` are per interval."""

    samples: EngineSamples
    asked: np.ndarray
    turned_away: np.ndarray


def story(arrivals: list[int], *, serves: int, limit: int | None = None, shows: bool = True) -> Story:
    """An engine that finishes up to `serves` requests per interval and queues up to `limit`."""
    waiting, finished, rejected = [0], [5], [0]
    for count in arrivals:
        present = waiting[-1] + count
        done = min(serves, present)
        left = present - done
        kept = left if limit is None else min(left, limit)
        waiting.append(kept)
        finished.append(finished[-1] + done)
        rejected.append(rejected[-1] + left - kept)
    done_ = np.array(finished, dtype=float)
    samples = EngineSamples(
        at=frozen(SCRAPE_S * np.arange(len(waiting))),
        finished=frozen(done_),
        running=frozen(np.zeros(len(waiting))),
        waiting=frozen(np.array(waiting, dtype=float)),
        prompt_tokens=frozen(PROMPT * done_),
        output_tokens=frozen(OUTPUT * done_),
        rejected=frozen(np.array(rejected, dtype=float)) if shows else None,
    )
    return Story(samples, np.array(arrivals), np.diff(rejected))


def seen(samples: EngineSamples, **changes: object) -> DemandHistory:
    usual: dict[str, object] = {"start": 0.0, "end": float(samples.at[-1]), "step": STEP_S, "scrape_s": SCRAPE_S}
    return demand_history(pods={"a": samples}, **(usual | changes))  # type: ignore[arg-type]


BINS = st.integers(2, 12)
ARRIVALS = BINS.flatmap(lambda bins: st.lists(st.integers(0, 60), min_size=PER_BIN * bins, max_size=PER_BIN * bins))
SERVES = st.integers(1, 30)


def by_bin(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts.reshape(-1, PER_BIN).sum(axis=1))


@given(ARRIVALS, SERVES, st.one_of(st.none(), st.integers(0, 80)))
def test_with_rejections_shown_every_bin_is_what_was_asked_however_saturated(
    arrivals: list[int], serves: int, limit: int | None
) -> None:
    told = story(arrivals, serves=serves, limit=limit)
    history = seen(told.samples)
    np.testing.assert_allclose(history.values[:, REQUESTS] * STEP_S, by_bin(told.asked), atol=1e-6)
    np.testing.assert_array_equal(history.flags > 0, by_bin(told.turned_away) > 0)


@given(ARRIVALS, SERVES)
def test_an_unlimited_queue_hides_nothing_even_where_rejections_are_not_shown(arrivals: list[int], serves: int) -> None:
    told = story(arrivals, serves=serves, shows=False)
    np.testing.assert_allclose(seen(told.samples).values[:, REQUESTS] * STEP_S, by_bin(told.asked), atol=1e-6)


@given(ARRIVALS, SERVES, st.integers(1, 80))
def test_what_a_full_queue_hides_is_flagged_where_rejections_are_not_shown(
    arrivals: list[int], serves: int, limit: int
) -> None:
    told = story(arrivals, serves=serves, limit=limit, shows=False)
    history = seen(told.samples)
    hidden = (told.turned_away.reshape(-1, PER_BIN) > 0).all(axis=1)
    # the queue of the first interval of a run stood empty before it
    sure = hidden & (told.samples.waiting[:-1:PER_BIN][: len(hidden)] >= 1)
    assert (history.flags[sure] == 1).all()
    assert (history.values[:, REQUESTS] * STEP_S <= by_bin(told.asked) + 1e-6).all()
    assert "not exposed" in history.hidden


@given(ARRIVALS, SERVES, st.data())
def test_resets_and_gaps_give_gaps_and_never_more_than_was_asked(
    arrivals: list[int], serves: int, data: st.DataObject
) -> None:
    told = story(arrivals, serves=serves)
    at = data.draw(st.integers(1, len(arrivals)), label="restarted before scrape")
    missed = data.draw(st.sets(st.integers(1, len(arrivals) - 1)), label="missed scrapes")
    keep = [row for row in range(len(arrivals) + 1) if row not in missed]
    again = np.arange(len(arrivals) + 1) >= at

    def restarted(column: np.ndarray) -> np.ndarray:
        return frozen(np.where(again, column - column[at], column)[keep])

    samples = EngineSamples(
        frozen(told.samples.at[keep]),
        restarted(told.samples.finished),
        frozen(told.samples.running[keep]),
        frozen(told.samples.waiting[keep]),
        restarted(told.samples.prompt_tokens),
        restarted(told.samples.output_tokens),
        rejected=frozen(np.zeros(len(keep))),
    )
    values = seen(samples).values
    known = np.isfinite(values)
    assert (known.all(axis=1) | ~known.any(axis=1)).all()
    assert (values[known] >= 0).all()
    # a bin is made up for at most a tenth of it that was not measured, and shares its neighbours' intervals
    assert np.nansum(values[:, REQUESTS]) * STEP_S <= (told.asked.sum() + 1e-6) / 0.9


@given(st.lists(st.integers(0, 3), min_size=8, max_size=40))
def test_an_engine_that_has_nothing_to_do_is_idle_and_not_missing(busy: list[int]) -> None:
    arrivals = np.repeat(np.where(np.array(busy) == 0, 0, 20), PER_BIN).tolist()
    history = seen(story(arrivals, serves=30).samples)
    rows = history.values[:, REQUESTS]
    known = np.isfinite(rows)
    np.testing.assert_allclose(rows[known] * STEP_S, by_bin(np.array(arrivals))[-len(rows) :][known], atol=1e-6)
    assert known[np.array(busy)[-len(rows) :] == 0].all()


STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
SMALL = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=20_000, source="a test"), max_num_seqs=16)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**16))
@pytest.mark.parametrize("overload", [1.5, 4.0])
def test_a_saturated_fleet_does_not_hide_what_was_asked(overload: float, seed: int) -> None:
    """Two simulated engines take so many times what they can finish; what arrived counts, not what they put out."""
    requests = steady(int(5000 * overload), seed=seed, every=0.05 / overload)
    fleet = Fleet(deployment=SMALL, trace=requests, replicas=2, cold_start=StartTier(1.0, 0.0), seed=seed)
    scrapes, end = Scrapes(keep_s=1e9), float(requests.arrival_s[-1]) // STEP_S * STEP_S
    for at in np.arange(0.0, end + 1.0, SCRAPE_S):
        fleet.advance(float(at))
        scrapes.take(at=float(at), counters=fleet.counters())
    found = demand_history(pods=scrapes.samples(), start=0.0, end=end, step=STEP_S, scrape_s=SCRAPE_S)
    asked = np.histogram(requests.arrival_s, bins=np.arange(found.start, end + 1.0, STEP_S))[0] / STEP_S
    np.testing.assert_allclose(found.values[:, REQUESTS], asked, rtol=0.03)
    finished = sum(pod.finished for pod in fleet.counters().values()) / end
    assert overload < 2 or finished < 0.6 * asked.mean()
    lengths = found.values[-1, [PROMPT_TOKENS, OUTPUT_TOKENS]] / found.values[-1, REQUESTS]
    np.testing.assert_allclose(lengths, [requests.prompt_tokens.mean(), requests.output_tokens.mean()], rtol=0.15)
    assert not found.flags.any()
