"""The classifier goes by character, the rest by name and shape, and the table says what was taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import UsageError
from trainer.training.weight_transfer import TransferRow, transfer_table, transfer_weights

_alphabets = st.lists(st.sampled_from("0123456789abcdefÄ中"), min_size=2, max_size=18, unique=True).map("".join)


def _weights(alphabet: str, hidden: int = 3, inputs: int = 5, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    shapes = {
        "first.weight_ih_l0": (4 * hidden, inputs),
        "second.weight_ih_l0": (4 * hidden, hidden),
        "classify.weight": (len(alphabet) + 1, hidden),
        "classify.bias": (len(alphabet) + 1,),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@given(_alphabets, _alphabets)
def test_every_character_of_both_alphabets_keeps_its_row_and_every_other_one_its_own(before: str, after: str) -> None:
    source, drawn = _weights(before, seed=1), _weights(after, seed=2)
    weights, rows = transfer_weights(source, before, drawn, after)
    for name in ("classify.weight", "classify.bias"):
        for row, character in enumerate(after):
            expected = source[name][before.index(character)] if character in before else drawn[name][row]
            assert np.array_equal(weights[name][row], expected)
        assert np.array_equal(weights[name][-1], source[name][-1])
    common = len(set(before) & set(after))
    assert [(row.taken, row.of) for row in rows if "classify" in row.parameter] == [(common, len(after))] * 2


@given(_alphabets)
def test_from_the_same_shape_and_alphabet_everything_is_taken(alphabet: str) -> None:
    source = _weights(alphabet, seed=1)
    weights, rows = transfer_weights(source, alphabet, _weights(alphabet, seed=2), alphabet)
    assert all(np.array_equal(weights[name], source[name]) for name in source)
    assert all(row.taken == row.of and not row.note for row in rows)


def test_what_has_another_shape_is_drawn_anew_and_told() -> None:
    drawn = _weights("01", inputs=7)
    weights, rows = transfer_weights(_weights("012"), "012", drawn, "01")
    assert np.array_equal(weights["first.weight_ih_l0"], drawn["first.weight_ih_l0"])
    assert rows[0] == TransferRow("first.weight_ih_l0", 0, 1, "its shape is 12x5 there and 12x7 here")
    assert transfer_table(rows).splitlines() == [
        "  first.weight_ih_l0   drawn anew; its shape is 12x5 there and 12x7 here",
        "  second.weight_ih_l0  taken",
        "  classify.weight      2 of 2 characters taken",
        "  classify.bias        2 of 2 characters taken",
    ]


def test_the_weights_given_are_not_written_to() -> None:
    source, drawn = _weights("01", seed=1), _weights("12", seed=2)
    before = {name: value.copy() for name, value in drawn.items()}
    transfer_weights(source, "01", drawn, "12")
    assert all(np.array_equal(drawn[name], before[name]) for name in drawn)


def test_another_kind_of_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no weights to start from: of its first.weight_ih_l0, .* use the preset"):
        transfer_weights(_weights("01", hidden=4), "01", _weights("01", hidden=3), "01")
