"""How imported pictures of any size are brought to a data set's one size; kept in its spec, so that others follow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from shared.dataset.field_types import Choice, Integer, Several, check_keys, shown
from shared.errors import UsageError

_MODE = Choice(("pad", "stretch", "crop"))
_GROUND = Several(Integer(0, 255), 3, 3)
_RESAMPLING = Choice(("nearest", "bilinear", "bicubic", "lanczos"))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Checks itself; raises `UsageError` naming the field."""

    mode: str = "pad"
    "pad: whole, in the middle of the ground; stretch: to the edges; crop: filled, what is too much cut off."
    ground: tuple[int, int, int] = (255, 255, 255)
    "Red, green, blue of what a padded picture does not cover."
    resampling: str = "bicubic"
    "As Pillow calls it."

    def __post_init__(self) -> None:
        _MODE.check("fit mode", self.mode)
        object.__setattr__(self, "ground", _GROUND.check("fit ground", self.ground))
        _RESAMPLING.check("fit resampling", self.resampling)

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes, ready for JSON."""
        return {**asdict(self), "ground": list(self.ground)}

    @classmethod
    def from_mapping(cls, values: object) -> Self:
        """The inverse of `to_mapping`; raises `UsageError` for unknown keys and impossible values."""
        if not isinstance(values, Mapping):
            raise UsageError(f"fit must be a mapping, got {shown(values)}")
        check_keys("fit", values, [item.name for item in fields(cls)])
        return cls(**values)
