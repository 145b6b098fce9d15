from math import inf

import pytest

from foretide.simulator.faults import StockOut
from foretide.simulator.stock import ENDLESS, Stock

STOCK = Stock(((0.0, 8), (100.0, 4), (200.0, 16)))


@pytest.mark.parametrize(("now", "gpus"), [(0.0, 8), (99.9, 8), (100.0, 4), (200.0, 16), (1e9, 16)])
def test_a_step_holds_until_the_next_one(now: float, gpus: int) -> None:
    assert STOCK.at(now) == gpus


def test_without_steps_there_is_no_limit() -> None:
    assert ENDLESS.at(5.0) == inf
    assert ENDLESS.shifted(100.0).at(5.0) == inf


def test_a_stock_out_withholds_what_is_beyond_its_gpus_while_it_lasts() -> None:
    faults = (StockOut(at=50.0, duration_s=100.0, gpus=6),)
    assert [STOCK.at(now, faults) for now in (49.0, 50.0, 120.0, 150.0)] == [8, 6, 4, 4]
    assert [ENDLESS.at(now, faults) for now in (49.0, 50.0)] == [inf, 6]


@pytest.mark.parametrize("by", [0.0, 50.0, 100.0, 150.0, 500.0])
def test_a_shifted_stock_is_the_same_one_later(by: float) -> None:
    moved = STOCK.shifted(by)
    assert [moved.at(now) for now in range(0, 400, 10)] == [STOCK.at(now + by) for now in range(0, 400, 10)]
