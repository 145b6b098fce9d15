"""Each pool as if it were the only one."""

import pytest
from paired import paired
from twins import resource

from foretide.operator.pair.views import views
from foretide.operator.resource import parse


def test_each_view_has_one_pool() -> None:
    parsed = parse(paired()).resource
    assert parsed is not None
    assert [[pool.name for pool in view.pools] for view in views(parsed)] == [["prefill"], ["decode"]]


def test_one_pool_has_no_views() -> None:
    parsed = parse(resource()).resource
    assert parsed is not None
    with pytest.raises(ValueError, match="has one pool"):
        views(parsed)
