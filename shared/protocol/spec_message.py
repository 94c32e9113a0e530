"""A spec to its message and back. Fields of the same name are copied: a new parameter of a style needs no line here."""

from dataclasses import asdict
from typing import Any

from shared.dataset.field_types import Optional
from shared.dataset.fit import Fit
from shared.dataset.fonts import Font
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import FIELD_TYPES, Style
from shared.pb.captcha.v1 import dataset_pb2 as pb

_SAME_IN_MESSAGE = ("seed", "width", "height", "alphabet", "min_length", "max_length")


def spec_message(spec: DatasetSpec) -> pb.DatasetSpec:
    """The whole spec, its defaults too."""
    message = pb.DatasetSpec(**{name: getattr(spec, name) for name in _SAME_IN_MESSAGE})
    for style in spec.styles:
        message.styles.append(_style_message(style))
    if spec.fit is not None:
        message.fit.CopyFrom(pb.Fit(**spec.fit.to_mapping()))
    return message


def spec_of(message: pb.DatasetSpec) -> DatasetSpec:
    """The inverse of `spec_message`; raises `UsageError` for a field that is out of its bounds."""
    return DatasetSpec(
        **{name: getattr(message, name) for name in _SAME_IN_MESSAGE},
        styles=tuple(_style_of(style) for style in message.styles),
        fit=_fit_of(message.fit) if message.HasField("fit") else None,
    )


def _fit_of(message: pb.Fit) -> Fit:
    values = {"mode": message.mode, "ground": list(message.ground), "resampling": message.resampling}
    return Fit.from_mapping(values)


def _style_message(style: Style) -> pb.Style:
    values = {name: getattr(style, name) for name in FIELD_TYPES}
    values["fonts"] = [pb.Font(**asdict(font)) for font in style.fonts]
    return pb.Style(**values)


def _style_of(message: pb.Style) -> Style:
    values: dict[str, Any] = {name: getattr(message, name) for name in FIELD_TYPES}
    values["fonts"] = [Font(font.name, font.sha256) for font in message.fonts]
    for name, kind in FIELD_TYPES.items():
        if not isinstance(values[name], int | float | str):
            values[name] = tuple(values[name])
        if isinstance(kind, Optional) and not values[name]:
            values[name] = None  # A message has no other way to say it.
    return Style(**values)
