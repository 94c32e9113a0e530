"""What stands in an exported ONNX file beside the graph: all that reading pictures with it takes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from shared.errors import DataLoss

INPUT, OUTPUT = "images", "logits"
"Names of the graph's only input and output."


@dataclass(frozen=True, kw_only=True)
class OnnxMetadata:
    """Each field is a property of its own in the file's metadata, as JSON."""

    alphabet: str
    "Class i is the i-th character; the class after the last is the CTC blank."
    width: int
    height: int
    max_length: int
    "Most characters in a label of the data set trained on."
    fit: Mapping[str, Any] = field(default_factory=dict)
    "How pictures of another size are brought to this one."
    fingerprint: str = ""
    "Of the data set trained on."
    weights_digest: str = ""

    def to_properties(self) -> dict[str, str]:
        """As ONNX keeps them, strings."""
        return {name: json.dumps(value, ensure_ascii=False) for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> Self:
        """The inverse; raises `DataLoss` naming the first that is missing or damaged."""
        values = {}
        for each in fields(cls):
            if each.name not in properties:
                raise DataLoss(f"has no {each.name} in its metadata; export it with python -m trainer.export")
            try:
                values[each.name] = json.loads(properties[each.name])
            except ValueError as error:
                raise DataLoss(f"has a damaged {each.name} in its metadata; export it again") from error
        return cls(**values)
