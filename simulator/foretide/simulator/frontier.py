"""Whole cost-promise curves of policies, and what each pays at the same joint attainment. All of it is simulated.

Every policy's knob is searched on the training part by the same rule and the same number of settings; those found
there are then run on the evaluation part, on the same seeds. Hours at a matched attainment are interpolated on each
policy's own lower envelope (papers.md 5.1 to 5.3).

What is NOT promised: a curve beyond a policy's settings. Where none reaches an attainment its hours are None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from foretide.policies.flow import Floats
from foretide.simulator.curve import Ratio, Trials, cheapest_reaching, draws, envelope, hours_at, ratio_at
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.ground import Ground, Part, lay_ground, training_told
from foretide.simulator.knobs import crossings, given, knob_of, to_try
from foretide.simulator.oracle import NAME as ORACLE
from foretide.simulator.question import Question
from foretide.simulator.replay import check_settings
from foretide.simulator.scenario import Scenario
from foretide.simulator.spread import Workers, spread
from foretide.simulator.trial import Measured, Setting, Trial, fresh, run_trial

REFINED = 2
"""How often each crossing of an attainment is halved on the evaluation part, to leave less to interpolation."""

Told = Callable[[str, float], None]
"""Told what is under way and how much of it is done, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One policy's curve on the evaluation part, settings ascending, and what tuning would have chosen."""

    policy: str
    settings: tuple[Setting, ...]
    trials: Trials
    trained: Mapping[float, tuple[float, float]]
    """By value: (GPU-hours, joint attainment) on the training part."""

    @property
    def joint(self) -> Floats:
        return self.trials.joint()

    @property
    def hours(self) -> Floats:
        return self.trials.hours()

    def hours_at(self, attainment: float) -> float | None:
        return hours_at(attainment, joint=self.joint, hours=self.hours)

    def exceeds(self, attainment: float) -> bool:
        """Whether the cheapest setting does better already, so that the hours are its own."""
        reached, _ = envelope(joint=self.joint, hours=self.hours)
        return bool(len(reached) and reached[0] > attainment)

    def tuned(self, attainment: float) -> int | None:
        """Index of the cheapest setting that reached the attainment in training; None where none did."""
        hours, joint = ({value: pair[i] for value, pair in self.trained.items()} for i in (0, 1))
        chosen = cheapest_reaching(attainment, joint=joint, hours=hours)
        return (
            next((i for i, one in enumerate(self.settings) if one.value == chosen), None)
            if chosen is not None
            else None
        )


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """What was found, in the order in which the policies were asked for."""

    scenario: Scenario
    question: Question
    curves: tuple[Curve, ...]
    training: str
    wall_seconds: float

    @property
    def within(self) -> bool:
        """Whether resamples draw blocks of time too: where seeds do not bring traces of their own."""
        return self.question.seeds == 1 or not isinstance(self.scenario.source, WorkloadShape)

    def curve(self, policy: str) -> Curve:
        return next(curve for curve in self.curves if curve.policy == policy)

    def ratio(self, policy: str, attainment: float) -> Ratio | None:
        """Hours of a policy over the reference's at an attainment, with its interval."""
        ours, theirs = (self.curve(name).trials for name in (policy, self.question.compared_to))
        seeds, blocks = ours.requests.shape[1:]
        weights = draws(seeds=seeds, blocks=blocks, within=self.within, seed=self.question.seed)
        return ratio_at(attainment, policy=ours, reference=theirs, weights=weights)


def frontier(
    scenario: Scenario,
    question: Question,
    *,
    workers: Workers | None = None,
    cache: Path | None = None,
    progress: Told | None = None,
) -> Frontier:
    """Tunes, then judges. The same for the same seed, except for `wall_seconds`.

    Raises BadTrace, BadScenario and CannotSpread.
    """
    began = perf_counter()
    check_settings(scenario)
    ground = lay_ground(scenario, seed=question.seed, cache=cache, progress=progress)
    hall = _Hall(ground, workers or Workers(), progress)
    names = tuple(dict.fromkeys(question.policies))
    tunable = [name for name in names if name != ORACLE]
    for name in tunable:  # what cannot be set is said here, not by a worker in the middle
        fresh(ground.bench(Part.TRAINING, question.seed), _next(name, {}, question, ground.scenario)[0])
    trained = _trained(tunable, question, hall)
    curves = dict(zip(trained, _judged(trained, question, hall), strict=True))
    if ORACLE in names:
        curves[ORACLE] = _hindsight(tuple(curves.values()), question, hall)
    ordered = tuple(curves[name] for name in names)
    return Frontier(scenario, question, ordered, training_told(scenario), perf_counter() - began)


@dataclass(frozen=True, slots=True, eq=False)
class _Hall:
    """Where trials are run."""

    ground: Ground
    workers: Workers
    progress: Told | None

    def run(self, trials: Sequence[Trial], *, name: str, before: float = 0.0, after: float = 1.0) -> list[Measured]:
        """All trials; told as the part of the stage `name` between the shares `before` and `after`."""
        done: set[int] = set()

        def finished(index: int) -> None:
            done.add(index)
            if self.progress:
                self.progress(name, min(1.0, before + (after - before) * len(done) / len(trials)))

        return spread(run_trial, trials, shared=self.ground, workers=self.workers, finished=finished)

    def done(self, name: str) -> None:
        if self.progress:
            self.progress(name, 1.0)


Tried = dict[Setting, tuple[float, float]]


def _trained(names: Sequence[str], question: Question, hall: _Hall) -> dict[str, Tried]:
    """The settings found for each policy, with (GPU-hours, joint attainment) on the training part."""
    seeds = question.training_seeds
    found: dict[str, Tried] = {name: {} for name in names}
    budget = len(names) * question.budget
    while True:
        wanted = [setting for name in names for setting in _next(name, found[name], question, hall.ground.scenario)]
        if not wanted:
            break
        trials = [Trial(setting, Part.TRAINING, seed) for seed in seeds for setting in wanted]
        done = sum(map(len, found.values()))
        results = hall.run(trials, name="training", before=done / budget, after=(done + len(wanted)) / budget)
        for at, setting in enumerate(wanted):
            trial = _stacked([results[at :: len(wanted)]])
            found[setting.policy][setting] = (float(trial.hours()[0]), float(trial.joint()[0]))
    hall.done("training")
    return found


def _next(name: str, tried: Tried, question: Question, scenario: Scenario) -> list[Setting]:
    """What to try next for a policy; nothing when its budget is spent or nothing is left."""
    knob = knob_of(name, scenario)
    if knob is None:
        return [] if tried else [Setting(name)]
    listed = given(name, knob, scenario)
    if listed:
        return [] if tried else [Setting(name, knob, value) for value in listed]
    joint = {one.value: kept for one, (_, kept) in tried.items() if one.value is not None}
    room = question.budget - len(tried)
    return [Setting(name, knob, v) for v in to_try(knob, joint, attainments=question.attainments, room=room)]


def _judged(trained: Mapping[str, Tried], question: Question, hall: _Hall) -> list[Curve]:
    """Every setting of every policy on the evaluation part, and a few more where an attainment is crossed."""
    found: dict[Setting, list[Measured]] = {}
    wanted = [setting for tried in trained.values() for setting in tried]
    shares = (0.0, *np.linspace(0.7, 1.0, 1 + REFINED).tolist())
    for turn in range(1 + REFINED):
        trials = [Trial(setting, Part.EVALUATION, seed) for seed in question.all_seeds for setting in wanted]
        found |= _by_setting(wanted, hall.run(trials, name="evaluation", before=shares[turn], after=shares[turn + 1]))
        curves = [_curve(name, found, tried) for name, tried in trained.items()]
        wanted = [setting for curve in curves for setting in _finer(curve, question, hall.ground.scenario)]
        if not wanted:
            break
    hall.done("evaluation")
    return curves


def _curve(name: str, found: Mapping[Setting, list[Measured]], tried: Tried) -> Curve:
    settings = tuple(sorted((one for one in found if one.policy == name), key=lambda one: one.value or 0.0))
    trained = {one.value: pair for one, pair in tried.items() if one.value is not None}
    return Curve(name, settings, _stacked([found[setting] for setting in settings]), trained)


def _finer(curve: Curve, question: Question, scenario: Scenario) -> list[Setting]:
    """Settings half-way where the curve crosses an attainment; none where the scenario lists its own."""
    knob = curve.settings[0].knob
    if knob is None or given(curve.policy, knob, scenario):
        return []
    joint = {one.value: float(kept) for one, kept in zip(curve.settings, curve.joint, strict=True) if one.value}
    return [Setting(curve.policy, knob, value) for value in crossings(knob, joint, attainments=question.attainments)]


def _hindsight(others: Sequence[Curve], question: Question, hall: _Hall) -> Curve:
    """The oracle for each attainment; it may take the orders of the cheapest setting that reached it."""
    settings = [Setting(ORACLE, None, level) for level in sorted(set(question.attainments))]
    trials = [
        Trial(setting, Part.EVALUATION, seed, _rivals(others, setting.value or 0.0))
        for seed in question.all_seeds
        for setting in settings
    ]
    by_setting = _by_setting(settings, hall.run(trials, name=ORACLE))
    return Curve(ORACLE, tuple(settings), _stacked([by_setting[setting] for setting in settings]), trained={})


def _rivals(others: Sequence[Curve], attainment: float) -> tuple[Setting, ...]:
    """The cheapest setting of all curves that reaches an attainment."""
    reaching = [
        (float(hours), setting)
        for curve in others
        for setting, hours, joint in zip(curve.settings, curve.hours, curve.joint, strict=True)
        if joint >= attainment
    ]
    return tuple(setting for _, setting in sorted(reaching, key=lambda pair: pair[0])[:1])


def _by_setting(settings: Sequence[Setting], results: Sequence[Measured]) -> dict[Setting, list[Measured]]:
    """Results that came seed by seed, gathered by setting."""
    return {setting: list(results[at :: len(settings)]) for at, setting in enumerate(settings)}


def _stacked(measured: Sequence[Sequence[Measured]]) -> Trials:
    """Results by setting and seed as arrays (settings, seeds, blocks)."""
    columns = (
        np.array([[getattr(one, name) for one in row] for row in measured], dtype=np.float64)
        for name in ("gpu_hours", "requests", "kept")
    )
    return Trials(*columns)
