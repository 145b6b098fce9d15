import logging
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.forecaster.evaluate.baselines.held_back import HELD_BACK, WINDOWS, ends_held, quiet, split_of


@given(st.integers(10, 100_000), st.integers(1, 60))
def test_what_judges_a_network_was_not_learned_from(rows: int, horizon: int) -> None:
    if rows <= 2 * horizon or round((1 - HELD_BACK) * rows) <= horizon:
        with pytest.raises(ValueError, match="too few to hold any back"):
            split_of(rows, horizon=horizon)
        return
    split = split_of(rows, horizon=horizon)
    ends = ends_held(rows, horizon=horizon)
    assert horizon < split < rows
    assert ends == sorted(set(ends))
    assert ends[-1] == rows
    assert all(end - horizon >= split for end in ends)
    assert len(ends) <= WINDOWS


def test_too_few_rows_are_refused_with_their_numbers() -> None:
    with pytest.raises(ValueError, match="20 training rows are too few to hold any back at a horizon of 15"):
        split_of(20, horizon=15)


@pytest.mark.filterwarnings("error")
def test_silence_ends_with_the_block() -> None:
    before = logging.getLogger("gluonts").level
    with quiet():
        warnings.warn("a library is talkative", stacklevel=1)
        assert logging.getLogger("gluonts").level == logging.ERROR
    assert logging.getLogger("gluonts").level == before
    with pytest.warns(UserWarning, match="heard again"):
        warnings.warn("heard again", stacklevel=1)
