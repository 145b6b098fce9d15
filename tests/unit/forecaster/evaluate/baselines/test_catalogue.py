from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES, NoSuchModel, chosen, plugged
from foretide.forecaster.evaluate.baselines.missing import NotInstalled, needs
from foretide.forecaster.evaluate.baselines.simple import SIMPLE, Rule
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import looks_ahead

Made = Callable[..., Series]


def test_names_are_those_of_the_models() -> None:
    assert all(entry.name == name for name, entry in ENTRIES.items())
    assert all(entry.opened().name == name for name, entry in ENTRIES.items() if not entry.heavy)
    assert {"naive", "seasonal-naive", "last-72", "persistence-bootstrap", "last-plus-q95", "ets", "pooled"} <= set(
        ENTRIES
    )


def test_a_list_keeps_its_order_and_each_name_once() -> None:
    assert [entry.name for entry in chosen("pooled, naive,pooled")] == ["pooled", "naive"]
    assert [entry.name for entry in chosen("simple")] == [rule.name for rule in SIMPLE]
    assert not any(entry.heavy for entry in chosen("all"))
    assert {entry.name for entry in chosen("everything")} == set(ENTRIES)


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NoSuchModel, match="there is no prophet; there are naive, "):
        chosen("naive,prophet")
    with pytest.raises(NoSuchModel, match="name at least one of naive"):
        chosen(" , ")


def test_anybody_can_bring_a_model() -> None:
    (entry,) = chosen("foretide.forecaster.evaluate.baselines.pooled:Pooled")
    assert entry.learns
    assert entry.opened().name == "pooled"
    with pytest.raises(NoSuchModel, match="No module named 'nowhere'"):
        plugged("nowhere:model")
    with pytest.raises(NoSuchModel, match=r"json:JSONDecoder has no fit\(\)"):
        plugged("json:JSONDecoder")


def test_a_missing_library_is_one_line() -> None:
    with (
        pytest.raises(NotInstalled, match=r"DeepAR needs gluonts: pip install 'foretide\[bench\]'"),
        needs("DeepAR", "gluonts"),
    ):
        import no_such_library  # noqa: F401 (the import is the test)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if not entry.heavy])
def test_no_competitor_looks_ahead(name: str, series: Made) -> None:
    given = series(rows=90, columns=1 if name == "pooled" else 2)
    try:
        fitted = ENTRIES[name].opened().fit(series=given, rows=50, horizon=3, context=48, seed=0)
        told = looks_ahead(fitted=fitted, series=given, origins=np.array([58, 71]), horizon=3)
    except NotInstalled as error:
        pytest.skip(str(error))
    assert told == ""


def test_a_rule_of_another_kind_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        Rule("x", "no-such-kind").fit(
            series=Series("", 0, 60, ("a",), np.ones((9, 1))), rows=5, horizon=1, context=2, seed=0
        )
