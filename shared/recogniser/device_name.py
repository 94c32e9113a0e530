"""The devices that a network may run on, by name."""

from typing import Literal

Device = Literal["cpu", "gpu", "ascend"]
"Where a network runs."
