"""What is the best validation, and when waiting for a better one ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.validation import ValidationHistory


def _after(accuracies: list[float]) -> ValidationHistory:
    history = ValidationHistory()
    for number, accuracy in enumerate(accuracies, start=1):
        history = history.after(100 * number, accuracy)
    return history


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12))
def test_the_best_is_the_first_of_the_highest(accuracies: list[float]) -> None:
    history = _after(accuracies)
    assert history.best_accuracy == max(accuracies)
    assert history.best_step == 100 * (1 + accuracies.index(max(accuracies)))
    assert history.num_since_best == len(accuracies) - 1 - accuracies.index(max(accuracies))
    assert history.last_step == 100 * len(accuracies)


@pytest.mark.parametrize(
    ("accuracies", "patience", "exhausted"),
    [
        ([], 1, False),
        ([0.0], 1, False),
        ([0.5, 0.5], 1, True),  # as good is not better
        ([0.5, 0.4, 0.6], 2, False),
        ([0.5, 0.4, 0.3], 2, True),
        ([0.5, 0.4, 0.3], None, False),
    ],
)
def test_patience_counts_the_validations_that_brought_nothing_better(
    accuracies: list[float], patience: int | None, exhausted: bool
) -> None:
    assert _after(accuracies).is_exhausted(patience) is exhausted
