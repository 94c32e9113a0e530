"""A label fits the frames exactly where some path of that many frames spells it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError
from shared.protocol.batch import label_of
from shared.recogniser.ctc.ctc_decoding import collapse
from shared.recogniser.ctc.ctc_frames import check_labels, check_longest_label, frames_needed, most_frames_needed

_ALPHABET = "ab"
_NARROW = DatasetSpec(width=16, height=16, max_length=4)


def _spelled_by(num_frames: int) -> set[str]:
    paths = np.array(list(itertools.product(range(3), repeat=num_frames))).T
    return set(collapse(paths, _ALPHABET))


@pytest.mark.parametrize("num_frames", [1, 2, 3, 4, 5, 6])
def test_exactly_those_labels_fit_that_a_path_of_so_many_frames_spells(num_frames: int) -> None:
    texts = ["".join(parts) for length in range(5) for parts in itertools.product(_ALPHABET, repeat=length)]
    labels = np.array([label_of(text, _ALPHABET, 4) for text in texts])
    fits = frames_needed(labels, 2) <= num_frames
    assert {text for text, fit in zip(texts, fits, strict=True) if fit} == {
        text for text in _spelled_by(num_frames) if len(text) <= 4
    }


@given(st.text("abc", min_size=1, max_size=9))
def test_no_label_needs_more_frames_than_the_worst_case_of_its_spec(text: str) -> None:
    spec = DatasetSpec(alphabet="abc", max_length=9)
    needed = frames_needed(label_of(text, "abc", 9)[np.newaxis], 3)[0]
    assert len(text) <= needed <= most_frames_needed(spec)


def test_the_worst_case_is_one_that_may_occur() -> None:
    spec = DatasetSpec(max_length=7)
    assert frames_needed(label_of("1" * 7, spec.alphabet, 7)[np.newaxis], 10)[0] == most_frames_needed(spec)


def test_a_spec_whose_longest_label_cannot_fit_is_refused_and_a_repeat_is_left_to_the_data() -> None:
    check_longest_label(_NARROW, 4, "no matter")
    with pytest.raises(UsageError, match=r"labels of 4 characters need 4 frames, .* 16x16 in 3; widen the images"):
        check_longest_label(_NARROW, 3, "widen the images")


def test_the_sample_whose_label_does_not_fit_is_named_with_the_remedy() -> None:
    labels = np.array([label_of(text, _NARROW.alphabet, 4) for text in ("1234", "12", "1223")])
    check_labels(labels, np.array([7, 8, 9], np.uint64), _NARROW, 5, "no matter")
    with pytest.raises(UsageError, match=r"sample 9: its label '1223' needs 5 frames .* has 4; widen the images"):
        check_labels(labels, np.array([7, 8, 9], np.uint64), _NARROW, 4, "widen the images")
