import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.canonical_json import canonical_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_a_value_and_what_is_read_back_from_json_have_the_same_text(value: Any) -> None:
    assert canonical_json(json.loads(json.dumps(value, indent=1))) == canonical_json(value)


@given(VALUES, VALUES)
def test_equal_texts_mean_values_that_json_cannot_tell_apart(one: Any, other: Any) -> None:
    if canonical_json(one) == canonical_json(other):
        assert json.loads(json.dumps(one)) == json.loads(json.dumps(other))


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": {"d": 2, "c": 3}}) == canonical_json({"a": {"c": 3, "d": 2}, "b": 1})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_what_json_lacks_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json(value)
