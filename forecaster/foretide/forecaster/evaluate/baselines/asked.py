"""How what serves one target is asked over a series: up to three indicators as one demand history, more one by one.

Up to three indicators take the places of requests, prompt and output tokens, so that their joint behaviour is forecast;
the last one fills the places that are left, which changes no forecast of it.

What is NOT promised: dependence between indicators where there are more than three. Negative values are no demand; the
ladder takes them for gaps.
"""

from dataclasses import replace

from foretide.forecaster.evaluate.model import Series
from foretide.policies.flow import DemandHistory, Trust, frozen

MEMORY_S = 8 * 86400.0
"""What a target is shown: a week and a day."""
PLACES = 3


def targets_of(width: int) -> tuple[tuple[int, ...], ...]:
    """The indicators of each target: all together up to PLACES of them, else each alone."""
    return (tuple(range(width)),) if width <= PLACES else tuple((column,) for column in range(width))


def places_of(columns: tuple[int, ...]) -> list[int]:
    """Which indicator stands in each of the three places."""
    return [*columns, *[columns[-1]] * (PLACES - len(columns))]


def history_at(series: Series, columns: tuple[int, ...], row: int) -> DemandHistory:
    """Up to three indicators of the rows before `row` as a demand history."""
    begin = max(0, row - round(MEMORY_S / series.step_s))
    values = series.values[begin:row][:, places_of(columns)]
    end = series.start_s + row * series.step_s
    return DemandHistory(end - len(values) * series.step_s, series.step_s, frozen(values), Trust.FRESH)


def row_at(series: Series, end: float) -> int:
    """The row that begins at this time: how many rows are known then."""
    return round((end - series.start_s) / series.step_s)


def known_until(series: Series, row: int) -> Series:
    """The series as it was when only the first `row` rows existed."""
    return replace(series, values=series.values[:row])
