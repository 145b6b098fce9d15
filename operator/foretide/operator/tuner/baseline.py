"""n* for a resource: the step times of its profile at the speed that was learned, or why there is no n*. Pure.

What is NOT promised: n* without a profile, or without a promise of time per token, which is what n* keeps.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

from foretide.operator.resource import Resource
from foretide.operator.service import PROFILE_SPEED
from foretide.operator.speeds import remembered
from foretide.operator.tuner.histograms import NAMES, Lacking, wanted
from foretide.operator.tuner.written import Tuning
from foretide.policies.concurrency.limit_rule import Rule
from foretide.simulator.profile_file import BadProfile, own_profiles
from foretide.simulator.profiles import Deployment, NoProfile, find_profile
from foretide.simulator.tuned import step_model


def rule_of(resource: Resource, tuning: Tuning, *, status: Mapping[str, Any]) -> Rule | Lacking:
    """The rule, blind until windows show lengths; the speed comes from the status that the operator publishes."""
    objective, engine = resource.spec.objective, resource.preset.engine
    if objective.tpot is None:
        return Lacking("objective.tpot: none: n* keeps it; declare one, like tpot: {threshold: 50ms}")
    if set(wanted(engine, objective)) != set(objective.declared()):
        fix = f"use one of {', '.join(NAMES)}, or tune: Off"
        return Lacking(f"engine: {engine}: replicas show no histogram of what the objective promises; {fix}")
    pool = resource.pool
    try:
        profile = find_profile(model=resource.model, gpu=pool.accelerator, tp=pool.gpus_per_replica, own=own_profiles())
        deployment = Deployment(profile, max_num_seqs=tuning.bounds.most, speed_factor=speed_factor(status))
    except (NoProfile, BadProfile, ValueError) as error:
        return Lacking(f"model: {resource.model}: {error}; bring a profile of your own (docs/profiles.md)")
    return Rule(step_model(deployment), tpot_s=objective.tpot.threshold_s, bounds=tuning.bounds)


def speed_factor(status: Mapping[str, Any]) -> float:
    """As the operator learned it, else what is usual."""
    known = remembered(status)
    return exp(known.mean) if known.weight else exp(PROFILE_SPEED[0])
