from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twins import merged

from foretide.operator.patches import patch_between

VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_patch_makes_of_the_old_status_exactly_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, patch_between(old, new)) == new
