"""What the metrics of Kubernetes' HPA ask for, in its own arithmetic: thousandths, tolerance, pods without a metric.

Follows GetExternalPerPodMetricReplicas, calcPlainMetricReplicas and GetMetricUsageRatio of Kubernetes 1.34
(pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go); held against the real controller by
tests/apiserver/test_hpa_golden.py (docs/hpa-fidelity.md).

What is NOT promised: the Resource metrics, with their grace for pods that initialise, and targets of type Value.
"""

from decimal import Decimal
from math import ceil

SYNC_S = 15.0
"""--horizontal-pod-autoscaler-sync-period."""
TOLERANCE = 0.1
"""--horizontal-pod-autoscaler-tolerance."""
MOST = 2**31 - 1
"""Counts are 32 bits wide."""


def average_value(*, total: float, target: float, current: int) -> int:
    """Replicas that HPA wants for an external metric with AverageValue `target`; `current` inside the tolerance.

    `current` is status.replicas of the target: the pods that exist, not those that are asked for.
    """
    used, each = milli(total), milli(target)
    if current > 0 and tolerated(used / (each * current)):
        return current
    return min(ceil(used / each), MOST)


def pods_metric(*, used: list[float], target: float, current: int, missing: int = 0, unready: int = 0) -> int:
    """Replicas that HPA wants for a Pods metric; `used` are the values of the ready pods that have one.

    `current` is spec.replicas of the target. As HPA does it, the mean is cut off below a thousandth.
    """
    values, aim = [milli(value) for value in used], milli(target)
    ratio = _ratio(values, aim)
    rising = unready > 0 and ratio > 1.0
    if not rising and not missing:
        return current if tolerated(ratio) else ceil(ratio * len(values))
    filled = [*values, *_assumed(ratio, aim, missing), *([0] * (unready if rising else 0))]
    again = _ratio(filled, aim)
    if tolerated(again) or (ratio < 1.0 < again) or (again < 1.0 < ratio):
        return current
    wanted = ceil(again * len(filled))
    turned = (again < 1.0 and wanted > current) or (again > 1.0 and wanted < current)
    return current if turned else wanted


def _assumed(ratio: float, aim: int, missing: int) -> list[int]:
    """What pods without a metric count as; exactly on target they are left out."""
    return [] if ratio == 1.0 else [aim if ratio < 1.0 else 0] * missing


def _ratio(values: list[int], aim: int) -> float:
    return sum(values) // len(values) / aim


def tolerated(ratio: float) -> bool:
    """Whether a metric is near enough to its target for the count to stay."""
    return 1.0 - TOLERANCE <= ratio <= 1.0 + TOLERANCE


def milli(value: float) -> int:
    """Thousandths, rounded up, of the decimal number that `value` is written as: HPA divides nothing else.

    In floats of whole units 0.9 / 0.3 is more than 3, and a fourth replica would be asked for.
    """
    return ceil(Decimal(repr(float(value))) * 1000)
