"""Weights of one network as the start of another: other pictures, another alphabet, another size. NumPy only.

What has the same name and shape is taken. The classifier goes by character, not by class number: the row of "7" is the
row of "7" in whatever alphabet. Everything else keeps the weights that were drawn for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError

Weights = Mapping[str, NDArray[np.float32]]
CLASSIFIER = ("classify.weight", "classify.bias")
"Parameters with a row for each class: a character each, the blank last."


@dataclass(frozen=True)
class TransferRow:
    """What became of one parameter."""

    parameter: str
    taken: int
    "Rows of the classifier that were taken; of another parameter 1 or 0."
    of: int
    note: str
    "Why the rest was drawn anew; empty when all was taken."


def transfer_weights(
    source: Weights, source_alphabet: str, drawn: Weights, alphabet: str
) -> tuple[dict[str, NDArray[np.float32]], list[TransferRow]]:
    """The weights to begin with, of the names and shapes of `drawn`, and what was taken from `source`.

    Raises `UsageError` when nothing but the classifier could be taken: that is another kind of network.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    rows: list[TransferRow] = []
    for name, fresh in drawn.items():
        weights[name], row = _transfer(name, source.get(name), fresh, source_alphabet, alphabet)
        rows.append(row)
    if not any(row.taken for row in rows if row.parameter not in CLASSIFIER):
        names = ", ".join(name for name in source if name not in CLASSIFIER)
        raise UsageError(f"no weights to start from: of its {names} none has a name and shape of this network's; "
                         "use the preset and sizes of that run")  # fmt: skip
    return weights, rows


def transfer_table(rows: Sequence[TransferRow]) -> str:
    """The rows for people, a line each."""
    width = max(len(row.parameter) for row in rows)
    return "\n".join(f"  {row.parameter:{width}}  {_taken(row)}" for row in rows)


def _taken(row: TransferRow) -> str:
    share = f"{row.taken} of {row.of} characters taken" if row.parameter in CLASSIFIER else "taken"
    return "; ".join(part for part in (share if row.taken else "drawn anew", row.note) if part)


def _transfer(
    name: str, source: NDArray[np.float32] | None, fresh: NDArray[np.float32], source_alphabet: str, alphabet: str
) -> tuple[NDArray[np.float32], TransferRow]:
    of = len(alphabet) if name in CLASSIFIER else 1
    if source is None:
        return fresh, TransferRow(name, 0, of, "the other network has none of that name")
    # Of the classifier the number of rows, one a class, may differ.
    same_from = 1 if name in CLASSIFIER else 0
    if source.ndim != fresh.ndim or source.shape[same_from:] != fresh.shape[same_from:]:
        return fresh, TransferRow(name, 0, of, f"its shape is {_shape(source)} there and {_shape(fresh)} here")
    if name in CLASSIFIER:
        return _classifier_rows(name, source, fresh, source_alphabet, alphabet)
    return source, TransferRow(name, 1, of, "")


def _classifier_rows(
    name: str, source: NDArray[np.float32], fresh: NDArray[np.float32], source_alphabet: str, alphabet: str
) -> tuple[NDArray[np.float32], TransferRow]:
    places = {character: row for row, character in enumerate(source_alphabet)}
    known = [row for row, character in enumerate(alphabet) if character in places]
    result = fresh.copy()
    result[-1] = source[-1]
    result[known] = source[[places[alphabet[row]] for row in known]]
    anew = "".join(character for character in alphabet if character not in places)
    return result, TransferRow(name, len(known), len(alphabet), f"drawn anew: {_some(anew)}" if anew else "")


def _shape(values: NDArray[np.float32]) -> str:
    return "x".join(map(str, values.shape))


def _some(characters: str) -> str:
    return characters if len(characters) <= 40 else f"{characters[:40]}... ({len(characters)} in all)"
