"""Nodes held for all models together: the sum of unequal coins as scipy knows it, and the least expected cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson_binom

from foretide.policies.warm.nodes import NodePrices, nodes_to_hold, starts_at_once

CHANCES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)


@given(CHANCES)
def test_how_many_start_is_the_poisson_binomial_of_scipy(chances: list[float]) -> None:
    found = starts_at_once(np.array(chances))
    assert found == pytest.approx(poisson_binom(chances).pmf(np.arange(len(chances) + 1)), abs=1e-9)


@given(CHANCES, st.floats(0.01, 1.0), st.floats(0.0, 20.0))
def test_no_other_number_of_nodes_costs_less(chances: list[float], price: float, worth: float) -> None:
    prices = NodePrices(lead_s=300.0, price=price, worth=worth)
    exactly = starts_at_once(np.array(chances))

    def cost(nodes: int) -> float:
        short = np.maximum(np.arange(len(exactly)) - nodes, 0)
        return float(300.0 * price * nodes + 300.0 * worth * (exactly * short).sum())

    chosen = nodes_to_hold(np.array(chances), prices=prices)
    assert cost(chosen) == pytest.approx(min(cost(nodes) for nodes in range(len(exactly))))


def test_sharing_needs_fewer_nodes_than_each_for_itself() -> None:
    prices = NodePrices(lead_s=300.0, price=0.3, worth=2.0)
    together = nodes_to_hold(np.full(20, 0.2), prices=prices)
    alone = 20 * nodes_to_hold(np.array([0.2]), prices=prices)
    assert 0 < together < alone
