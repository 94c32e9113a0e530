"""Edit distance and alignment, against the definition."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.alignment import align

texts = st.text("abc", max_size=8)


@functools.cache
def distance_by_definition(truth: str, prediction: str) -> int:
    if not truth or not prediction:
        return len(truth) + len(prediction)
    return min(
        distance_by_definition(truth[1:], prediction) + 1,
        distance_by_definition(truth, prediction[1:]) + 1,
        distance_by_definition(truth[1:], prediction[1:]) + (truth[0] != prediction[0]),
    )


@given(texts, texts)
def test_an_alignment_spells_both_texts_at_the_cost_of_the_distance(truth: str, prediction: str) -> None:
    pairs = align(truth, prediction)
    assert "".join(left for left, _ in pairs) == truth
    assert "".join(right for _, right in pairs) == prediction
    assert ("", "") not in pairs
    assert sum(left != right for left, right in pairs) == distance_by_definition(truth, prediction)


@pytest.mark.parametrize(
    ("truth", "prediction", "pairs"),
    [
        ("12", "12", [("1", "1"), ("2", "2")]),
        ("12", "1", [("1", "1"), ("2", "")]),
        ("12", "132", [("1", "1"), ("", "3"), ("2", "2")]),
        ("12", "17", [("1", "1"), ("2", "7")]),
        ("11", "1", [("1", ""), ("1", "1")]),
        ("", "", []),
    ],
)
def test_known_alignments(truth: str, prediction: str, pairs: list[tuple[str, str]]) -> None:
    assert align(truth, prediction) == pairs
