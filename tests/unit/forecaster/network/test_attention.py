import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.attention import Block, masks  # noqa: E402

pytestmark = pytest.mark.train


def test_demand_does_not_look_at_service_levels():
    _, by_level = masks((0, 2), tokens=2)
    block = Block(8, by_level, dropout=0.0)
    tokens, absent = torch.randn(1, 4, 8), torch.zeros(1, 4)
    altered = tokens.clone()
    altered[:, 2:] += 5.0
    before, after = block(tokens, absent), block(altered, absent)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_service_levels_look_at_demand():
    _, by_level = masks((0, 2), tokens=1)
    block = Block(8, by_level, dropout=0.0)
    tokens = torch.randn(1, 2, 8)
    altered = tokens.clone()
    altered[:, 0] += torch.randn(8)
    assert not torch.allclose(block(tokens, torch.zeros(1, 2))[:, 1], block(altered, torch.zeros(1, 2))[:, 1])


def test_the_first_layer_stays_within_an_indicator():
    within, _ = masks((0, 0), tokens=2)
    assert within.tolist() == [[True, True, False, False]] * 2 + [[False, False, True, True]] * 2


def test_what_was_not_measured_takes_no_share():
    within, _ = masks((0,), tokens=3)
    block = Block(8, within, dropout=0.0)
    tokens, absent = torch.randn(1, 3, 8), torch.tensor([[0.0, float("-inf"), 0.0]])
    altered = tokens.clone()
    altered[:, 1] += 5.0
    torch.testing.assert_close(block(tokens, absent)[:, [0, 2]], block(altered, absent)[:, [0, 2]])
