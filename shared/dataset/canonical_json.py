"""JSON with one spelling for each value, so that two values can be compared, or digested, by their texts."""

import json
from typing import Any


def canonical_json(value: Any) -> str:
    """The JSON text of `value`, equal exactly for equal values: keys sorted, no spaces, tuples as lists.

    A value read from JSON and the value it was written from have the same text. Raises `TypeError` for what JSON lacks,
    `ValueError` for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
