"""Sound input, damaged: JSON values exchanged, lost and added at any depth; bytes flipped, cut, doubled and put in."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

ODD = (0, -1, 1, 2**31, 2**63, 10**400, -(10**30), 0.5, 4.0, 1e308, -0.0, float("nan"), float("inf"), float("-inf"))
WORDS = (
    "",
    " ",
    "0",
    "-1",
    "NaN",
    "Infinity",
    "1e400",
    "1e9h",
    "500ms",
    "5",
    "١",
    "\x00",
    "\u202e",
    "\ud800",
    "a" * 300,
)
LEAVES = st.none() | st.booleans() | st.sampled_from(ODD) | st.sampled_from(WORDS) | st.text(max_size=8) | st.floats()
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def one_line(problem: Exception) -> None:
    assert len(str(problem).splitlines()) == 1


@st.composite
def damaged(draw: Callable[..., Any], sound: Any, *, most: int = 3) -> Any:
    """`sound` with up to `most` changes, each at a place drawn anew."""
    found = copy.deepcopy(sound)
    for _ in range(draw(st.integers(0, most))):
        holder, place = draw(st.sampled_from(_places(found)))
        match draw(st.sampled_from(("exchange", "lose", "add", "double"))):
            case "exchange":
                holder[place] = draw(JSON)
            case "lose":
                del holder[place]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(JSON)
            case _:
                holder[place] = [copy.deepcopy(holder[place])] * 2
        if not found:
            break
    return found


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    here = [(value, key) for key in keys]
    return here + [place for key in keys for place in _places(value[key])]


@st.composite
def torn(draw: Callable[..., Any], sound: bytes, *, most: int = 4) -> bytes:
    """`sound` with up to `most` bytes exchanged or pieces put in, taken out and doubled."""
    raw = bytearray(sound)
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        until = min(len(raw), at + draw(st.integers(1, 40)))
        match draw(st.sampled_from(("exchange", "put in", "take out", "double"))):
            case "exchange":
                raw[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "put in":
                raw[at:at] = draw(st.binary(max_size=8) | st.sampled_from((b",", b"\n", b"nan", b"1e400", b'"', b"-")))
            case "take out":
                del raw[at:until]
            case _:
                raw[at:at] = raw[at:until]
    return bytes(raw)
