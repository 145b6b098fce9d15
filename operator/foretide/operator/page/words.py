"""Numbers and times as people read them on the page: each with its unit, and a dash for what is not known."""

from datetime import UTC, datetime

from foretide.operator.page.markup import Markup, tag

DASH = "–"


def age(seconds: float | None) -> str:
    """`12.4` -> `12 s`, `200` -> `3 min`."""
    if seconds is None:
        return DASH
    for length, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(seconds: float | None) -> Markup:
    """An age that the page's script lets go on."""
    return tag("span", DASH if seconds is None else f"{age(seconds)} ago", data_age=seconds)


def rate(value: float | None) -> str:
    return DASH if value is None else f"{value:.3g} req/s"


def risk(value: float | None) -> str:
    """`0.0004` -> `0.04 %`; what is below a hundredth of a percent is told as such."""
    if value is None:
        return DASH
    return "< 0.01 %" if 0 < value < 1e-4 else f"{100 * value:.3g} %"


def moment(at: float) -> Markup:
    """UTC, for people and machines."""
    when = datetime.fromtimestamp(at, UTC)
    return tag("time", when.strftime("%Y-%m-%d %H:%M:%S UTC"), datetime=when.isoformat())
