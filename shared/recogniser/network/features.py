"""Images -> frames, the time steps that the LSTM reads: raw image columns, or what four convolutions see in them.

The convolutions are those of Shi et al., "An end-to-end trainable neural network for image-based sequence recognition"
(TPAMI 2017), fewer and narrower. Note: no norm layer has statistics of the batch, or of anything. Images and
weights are standardised instead. So a sample is read alike whatever else is in the batch, and any number of ranks takes
the same step; and the plateau at which nothing is read yet takes half the steps of batch norm. Pooling comes before
shift and ReLU: the same numbers for a quarter of the work.
"""

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.common.initializer import Constant, Uniform, initializer

from shared.recogniser.network.constants import FRAME_SCALE, STAGES, area_weights
from shared.recogniser.network.convolution import Grid, PooledConvolution
from shared.recogniser.network.network_spec import RESIZED_HEIGHT as HEIGHT
from shared.recogniser.network.preprocessing import Colour, Ink

_GAIN = 1.6
"Norm of the weights of an output at the start; 2**0.5 would keep the deviation of what goes through (He, ICCV 2015)."


class ColumnFrames(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [frames, n, frame_size]: some image columns a frame, row by row."""

    def __init__(self, pixels: Ink | Colour, height: int, num_frames: int, columns_per_frame: int) -> None:
        super().__init__()
        self.pixels, self.height, self.num_frames = pixels, height, num_frames
        self.values_per_row = columns_per_frame * pixels.channels
        self.frame_size = height * self.values_per_row

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        rows = self.pixels(images)
        num = rows.shape[0]
        blocks = rows.reshape(num, self.height, self.num_frames, self.values_per_row).transpose(2, 0, 1, 3)
        return blocks.reshape(self.num_frames, num, self.frame_size)


class ConvolutionFrames(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [resized_width / 4, n, frame_size]: four stages over the resized image."""

    def __init__(self, width: int, height: int, resized: int, device_target: str) -> None:
        super().__init__()
        self.resize = Resize(width, height, resized)
        stages, channels, grid_width, grid_height = [], 3, resized, HEIGHT
        for outputs, cell_width, cell_height in STAGES:
            grid = Grid(width=grid_width, height=grid_height, cell_width=cell_width, cell_height=cell_height)
            stages.append(_Stage(channels, outputs, grid, device_target))
            channels, (grid_width, grid_height) = outputs, grid.pooled()
        self.stages = nn.CellList(stages)
        self.num_frames, self.frame_size = grid_width, grid_height * channels

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        x = self.resize(images)
        for stage in self.stages:
            x = stage(x)
        return x.reshape(x.shape[0], self.num_frames, self.frame_size).transpose(1, 0, 2) * FRAME_SCALE


class Resize(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [n, resized * HEIGHT, 3], column by column, each image standardised.

    A new pixel is the mean of the area it covers; where images grow, of parts of one or two pixels. Standardised: the
    mean over all of the image is 0, its deviation 1, so that pale images look like strong ones and colours stay.
    """

    def __init__(self, width: int, height: int, resized: int) -> None:
        super().__init__()
        self.width, self.height, self.resized = width, height, resized
        self.by_rows = ms.Tensor(area_weights(height, HEIGHT))
        self.by_columns = ms.Tensor(area_weights(width, resized))
        columns_first = np.arange(HEIGHT * width).reshape(HEIGHT, width).T
        self.columns_first = ms.Tensor(columns_first.reshape(-1).astype(np.int32))
        self.over_column = ms.Tensor(np.full((HEIGHT * 3, 1), 1 / (HEIGHT * 3)), ms.float32)
        self.over_columns = ms.Tensor(np.full((resized, 1), 1 / resized), ms.float32)
        self.gather = ops.Gather()

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        num = images.shape[0]
        rows = ops.cast(images.reshape(num, self.height, self.width * 3), ms.float32)
        rows = ops.matmul(self.by_rows, rows).reshape(num, HEIGHT * self.width, 3)
        columns = self.gather(rows, self.columns_first, 1).reshape(num, self.width, HEIGHT * 3)
        values = ops.matmul(self.by_columns, columns).reshape(num, self.resized * HEIGHT * 3)
        values = values - self._mean(values)
        variance = self._mean(ops.square(values))
        return (values * ops.rsqrt(variance + 1.0)).reshape(num, self.resized * HEIGHT, 3)

    def _mean(self, values: ms.Tensor) -> ms.Tensor:
        """[n, 1] of [n, resized * HEIGHT * 3], by columns first: a sum of thousands of float32 values in a row would be
        wrong in the fifth digit, and logits by 3e-4."""
        columns = ops.matmul(values.reshape(-1, HEIGHT * 3), self.over_column).reshape(-1, self.resized)
        return ops.matmul(columns, self.over_columns)


class _Stage(nn.Cell):
    """Convolution, max pooling, shift, ReLU: [n, positions, channels] -> [n, fewer positions, outputs].

    Weights are standardised (Qiao et al., arXiv 1903.10520): those of each output are used with mean 0 and norm
    `_GAIN`, times a learnt scale. It costs nothing beside the products.
    """

    def __init__(self, channels: int, outputs: int, grid: Grid, device_target: str) -> None:
        super().__init__()
        fan_in = 9 * channels
        weight = initializer(Uniform(fan_in**-0.5), (outputs, channels, 3, 3), ms.float32)
        self.weight = ms.Parameter(weight, name="weight")
        self.scale = ms.Parameter(initializer(Constant(_GAIN), (outputs, 1), ms.float32), name="scale")
        self.shift = ms.Parameter(initializer("zeros", (outputs,), ms.float32), name="shift")
        self.convolve = PooledConvolution(grid, device_target)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """See the class."""
        return ops.relu(self.convolve(x, self._standardised()) + self.shift)

    def _standardised(self) -> ms.Tensor:
        rows = self.weight.reshape(self.weight.shape[0], -1)
        centred = rows - ops.mean(rows, 1, True)
        squares = ops.reduce_sum(ops.square(centred), 1).reshape(-1, 1)
        return (centred * ops.rsqrt(squares + 1e-4) * self.scale).reshape(self.weight.shape)
