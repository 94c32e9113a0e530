"""The shape of a network, known without MindSpore: checkpoints, configurations and commands speak of it."""

from dataclasses import dataclass
from typing import Literal

from shared.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The shape of a network. Checks itself; raises `UsageError`."""

    height: int
    width: int
    num_classes: int
    "Characters and the blank, which is the last class."
    hidden_size: int = 256
    "Units of each LSTM layer."
    columns_per_frame: int = 4
    "Image columns read in one time step."
    second_layer: Literal["forward", "backward"] = "backward"
    "The direction in which the second LSTM layer reads."
    pixels: Literal["ink", "colour"] = "ink"
    "What the network sees of a pixel: one value or three."
    initial_weights: Literal["orthogonal", "uniform"] = "orthogonal"
    "How weights are drawn: see `network.py`; uniform is the published way."

    def __post_init__(self) -> None:
        if self.columns_per_frame < 1 or self.width % self.columns_per_frame:
            problem = f"must divide the image width ({self.width}), got {self.columns_per_frame}"
            raise UsageError(f"columns_per_frame {problem}")

    @property
    def num_frames(self) -> int:
        """Time steps."""
        return self.width // self.columns_per_frame

    @property
    def how_to_get_more_frames(self) -> str:
        """For people whose labels are too long for the frames."""
        smaller = [columns for columns in range(1, self.columns_per_frame) if self.width % columns == 0]
        if not smaller:
            return "use wider images"
        return f"-o columns_per_frame={smaller[-1]} gives {self.width // smaller[-1]}"
