"""Labels as classes and back."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from shared.protocol.batch import classes_of, label_of, text_of


@given(st.text("ab1é中", max_size=6), st.integers(6, 9))
def test_a_label_gives_its_text_again_and_ends_in_blanks(text: str, max_length: int) -> None:
    label = label_of(text, "ab1é中", max_length)
    assert label.dtype == np.uint16
    assert text_of(label, "ab1é中") == text
    assert label.tolist() == classes_of(text, "ab1é中", max_length)
    assert (label[len(text) :] == 5).all()
    assert len(label) == max_length


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="3 characters where at most 2 fit"):
        label_of("abb", "ab", 2)
