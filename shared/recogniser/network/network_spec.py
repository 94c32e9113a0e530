"""The shape of a network, known without MindSpore: checkpoints, configurations and commands speak of it."""

from dataclasses import dataclass
from typing import Literal

from shared.errors import UsageError

RESIZED_HEIGHT = 32
"Rows that every image is resized to before the convolutions."
COLUMNS_PER_CONVOLUTION_FRAME = 4
"Of the resized image."
_LARGEST = 1 << 20
_WIDEST_RESIZED = 1 << 13
_LEAST_FRAMES, _MOST_FRAMES = 24, 128


def resized_width(width: int, height: int, max_length: int) -> int:
    """Columns that images are resized to before the convolutions: in proportion, and enough frames for any label.

    CTC needs a frame for each character and one between equal ones.
    """
    in_proportion = round(width * RESIZED_HEIGHT / height / COLUMNS_PER_CONVOLUTION_FRAME)
    least = max(_LEAST_FRAMES, 2 * max_length + 8)
    return COLUMNS_PER_CONVOLUTION_FRAME * max(least, min(in_proportion, _MOST_FRAMES))


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
    second_layer: Literal["forward", "backward", "parallel"] = "backward"
    """The direction in which the second LSTM layer reads; parallel: backward, beside the first layer, not after it, and
    the classifier sees the frames too."""
    pixels: Literal["ink", "colour"] = "ink"
    "What the network sees of a pixel: one value or three."
    initial_weights: Literal["orthogonal", "uniform", "small"] = "orthogonal"
    "How weights are drawn: see `network.py`; uniform is the published way."
    resized_width: int | None = None
    "Columns that images are resized to before the convolutions; null: no convolutions, frames are raw image columns."

    def __post_init__(self) -> None:
        for name in ("height", "width", "num_classes", "hidden_size"):
            if not 1 <= (value := getattr(self, name)) <= _LARGEST:
                raise UsageError(f"{name} must be in 1..{_LARGEST}, got {value}")
        if self.resized_width is not None:
            if not 1 <= self.resized_width <= _WIDEST_RESIZED or self.resized_width % COLUMNS_PER_CONVOLUTION_FRAME:
                problem = f"must be a multiple of {COLUMNS_PER_CONVOLUTION_FRAME} up to {_WIDEST_RESIZED}"
                raise UsageError(f"resized_width {problem}, got {self.resized_width}")
        elif self.columns_per_frame < 1 or self.width % self.columns_per_frame:
            problem = f"must divide the image width ({self.width}), got {self.columns_per_frame}"
            raise UsageError(f"columns_per_frame {problem}")

    @property
    def num_frames(self) -> int:
        """Time steps."""
        if self.resized_width is not None:
            return self.resized_width // COLUMNS_PER_CONVOLUTION_FRAME
        return self.width // self.columns_per_frame

    @property
    def how_to_get_more_frames(self) -> str:
        """For people whose labels are too long for the frames."""
        smaller = [columns for columns in range(1, self.columns_per_frame) if self.width % columns == 0]
        if not smaller or self.resized_width is not None:
            return "use wider images"
        return f"-o columns_per_frame={smaller[-1]} gives {self.width // smaller[-1]}"
