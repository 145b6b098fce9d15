from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.evaluate.baselines import harmony  # noqa: E402 (needs torch)
from foretide.forecaster.evaluate.model import Series  # noqa: E402
from foretide.forecaster.evaluate.protocol import looks_ahead  # noqa: E402

pytestmark = pytest.mark.train
Made = Callable[..., Series]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"WIDTH": 16, "INNER": 32, "COUPLING_WIDTH": 16, "DRAWS": 5}.items():
        monkeypatch.setattr(harmony, name, size)


def network(levels: tuple[int, ...] = (1, 2, 3, 1, 1, 1, 1)) -> harmony.Network:
    torch.manual_seed(0)
    return harmony.Network(context=6, horizon=2, levels=levels).eval()


@pytest.mark.parametrize("coupled", [True, False])
def test_a_fit_gives_joint_paths_and_looks_at_nothing_ahead(series: Made, coupled: bool) -> None:
    given = series(rows=120, columns=3)
    fitted = harmony.Harmony(coupled=coupled, epochs=2).fit(series=given, rows=90, horizon=2, context=12, seed=0)
    asked = {"origins": np.array([92, 110]), "horizon": 2, "count": 8, "seed": 1}
    paths = fitted.paths(series=given, **asked)
    assert paths.shape == (2, 8, 2, 3)
    assert np.isfinite(paths).all()
    assert paths.tolist() == fitted.paths(series=given, **asked).tolist()
    assert looks_ahead(fitted=fitted, series=given, origins=asked["origins"], horizon=2, count=4) == ""


def test_nothing_is_learned_from_rows_after_the_training_rows(series: Made) -> None:
    given = series(rows=120)
    later = np.concatenate([given.values[:90], 9 * given.values[90:]])
    told = [
        harmony.Harmony(epochs=1)
        .fit(series=each, rows=90, horizon=2, context=12, seed=0)
        .paths(series=given, origins=np.array([80]), horizon=2, count=4, seed=1)
        for each in (given, replace(given, values=later))
    ]
    np.testing.assert_array_equal(*told)


def test_couplings_move_half_and_leave_half_and_see_no_window() -> None:
    for size in (5, 6):
        coupling = harmony._Coupling(size, odd=False)
        values = torch.randn(4, size)
        moved = coupling(values)
        kept = coupling.kept.bool()
        assert torch.equal(moved[:, kept], values[:, kept])
        assert not torch.isclose(moved[:, ~kept], values[:, ~kept]).any()
        assert size // 2 <= int(kept.sum()) <= size // 2 + size % 2


def test_a_level_hears_itself_and_those_below_but_never_above() -> None:
    layer = network().layers[0]
    hidden = torch.randn(1, 7, 16)
    base = layer.climbed(hidden)
    for token, level in enumerate((1, 2, 3)):
        changed = hidden.clone()
        changed[0, token] += 1.0
        heard = (layer.climbed(changed) - base).abs().sum(dim=2)[0] > 1e-6
        assert [bool(heard[other]) for other in range(3)][:token] == [False] * token, level


def test_the_loss_teaches_one_vector_and_the_spread_the_less_the_more_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws are averaged before the error is taken: nothing but the noise left in that mean moves the spread."""
    windows, targets = torch.randn(8, 6, 7), torch.randn(8, 2, 3)

    def pull(draws: int) -> tuple[float, float]:
        monkeypatch.setattr(harmony, "DRAWS", draws)
        one = network()
        torch.nn.functional.mse_loss(one.predicted(windows), targets).backward()
        mean, width = one.head.bias.grad.detach().abs().chunk(2)
        return mean.sum().item(), width.sum().item()

    (_, few), (mean, many) = pull(1), pull(20_000)
    assert many < 0.05 * few
    assert many < 0.05 * mean


def test_another_horizon_than_the_trained_is_refused(series: Made) -> None:
    given = series(rows=60)
    fitted = harmony.Harmony(epochs=1).fit(series=given, rows=50, horizon=2, context=6, seed=0)
    with pytest.raises(ValueError, match="trained for 2 rows ahead, asked for 3"):
        fitted.paths(series=given, origins=np.array([55]), horizon=3, count=4, seed=0)


def test_too_few_rows_are_refused_with_their_numbers(series: Made) -> None:
    with pytest.raises(ValueError, match=r"13 rows hold no two windows of 12 \+ 2 rows"):
        harmony.Harmony(epochs=1).fit(series=series(rows=60), rows=13, horizon=2, context=12, seed=0)
