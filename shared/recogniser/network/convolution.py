"""A 3x3 convolution and the max pooling behind it, in two forms that give the same numbers.

GPU and Ascend run their own convolution. On CPUs with AVX-512 MindSpore's takes oneDNN's reference loop (0.9 s where
the product below takes 0.01), so there every window of 3x3 positions is gathered into one row of a matrix, and the
convolution is one matrix product. Note: windows are gathered in as many matrices as a pooling cell has
positions, one for each position in the cell. Pooling is then the elementwise maximum of those matrices.

Activations are [n, width * height, channels], column by column: a column of an image is one block of memory, as the
LSTM wants it.
"""

from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.ops.operations import _grad_ops
from numpy.typing import NDArray

_TAPS = 9
"Positions of a window."


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Positions of an activation and the cells that pooling makes of them. Cells divide the grid without a rest."""

    width: int
    height: int
    cell_width: int
    cell_height: int

    def pooled(self) -> tuple[int, int]:
        """Width and height behind the pooling."""
        return self.width // self.cell_width, self.height // self.cell_height

    def windows(self) -> list[NDArray[np.int32]]:
        """For each position in a cell: the input positions of the windows around it, [cells * 9].

        width * height stands for a position beyond the edge.
        """
        size = self.width * self.height
        framed = _framed(np.arange(size).reshape(self.width, self.height), size)
        return [self._taps(framed, x, y, self.cell_width, self.cell_height) for x, y in self._places()]

    def reverse_windows(self) -> NDArray[np.int32]:
        """For each input position: the outputs, numbered as `windows` orders them, that it is part of, [w * h * 9].

        The taps run the other way round: the first is the output for which the input is the last.
        """
        columns, rows = self.pooled()
        order = np.empty((self.width, self.height), np.int64)
        for number, (x, y) in enumerate(self._places()):
            cells = np.arange(columns * rows).reshape(columns, rows) + number * columns * rows
            order[x :: self.cell_width, y :: self.cell_height] = cells
        return self._taps(_framed(order, order.size), 0, 0, 1, 1)

    def _places(self) -> list[tuple[int, int]]:
        return [(x, y) for x in range(self.cell_width) for y in range(self.cell_height)]

    def _taps(self, framed: NDArray[np.int64], x: int, y: int, step_x: int, step_y: int) -> NDArray[np.int32]:
        """[positions * 9]: what stands in the 3x3 windows around every `step`th position from (x, y) on."""
        taps = [
            framed[x + i : x + i + self.width - x : step_x, y + j : y + j + self.height - y : step_y]
            for i in range(3)
            for j in range(3)
        ]
        return np.stack(taps, axis=-1).reshape(-1).astype(np.int32)


def _framed(grid: NDArray[np.int64], edge: int) -> NDArray[np.int64]:
    return np.pad(grid, 1, constant_values=edge)


class PooledConvolution(nn.Cell):
    """x float32 [n, width * height, c], weight [o, c, 3, 3] -> float32 [n, pooled width * pooled height, o].

    Zeros stand beyond the edges. The weight's first spatial axis runs along the width.
    """

    def __init__(self, grid: Grid, device_target: str) -> None:
        super().__init__()
        self.form = _AsProduct(grid) if device_target == "CPU" else _AsOperator(grid)

    def construct(self, x: ms.Tensor, weight: ms.Tensor) -> ms.Tensor:
        """See the class."""
        return self.form(x, weight)


class _AsOperator(nn.Cell):
    """The device's own operators."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.pool = nn.MaxPool2d((grid.cell_width, grid.cell_height), (grid.cell_width, grid.cell_height))

    def construct(self, x: ms.Tensor, weight: ms.Tensor) -> ms.Tensor:
        num, _, channels = x.shape
        images = x.reshape(num, self.grid.width, self.grid.height, channels).transpose(0, 3, 1, 2)
        pooled = self.pool(ops.conv2d(images, weight, pad_mode="pad", padding=1))
        return pooled.transpose(0, 2, 3, 1).reshape(num, -1, weight.shape[0])


class _AsProduct(nn.Cell):
    """Windows gathered into rows, and one matrix product for each position in a pooling cell."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.windows = tuple(ms.Tensor(window) for window in grid.windows())
        self.gather, self.multiply, self.larger = _Gather(), _Multiply(grid), _Larger()

    def construct(self, x: ms.Tensor, weight: ms.Tensor) -> ms.Tensor:
        num, _, channels = x.shape
        matrix = weight.transpose(2, 3, 1, 0).reshape(_TAPS * channels, -1)
        windows = [ops.stop_gradient(self.gather(x, window)) for window in self.windows]
        pooled = self.multiply(x, matrix, tuple(windows))
        while len(pooled) > 1:
            pooled = [self.larger(pooled[i], pooled[i + 1]) for i in range(0, len(pooled), 2)]
        return pooled[0].reshape(num, -1, weight.shape[0])


class _Gather(nn.Cell):
    """x [n, positions, c], windows [rows * 9] -> [n * rows, 9 * c]; the position behind the last one holds zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = ops.Gather()

    def construct(self, x: ms.Tensor, windows: ms.Tensor) -> ms.Tensor:
        num, _, channels = x.shape
        with_edge = ops.concat((x, ops.zeros((num, 1, channels), ms.float32)), 1)
        return self.gather(with_edge, windows, 1).reshape(-1, _TAPS * channels)


class _Multiply(nn.Cell):
    """x [n, positions, c], matrix [9 * c, o], windows gathered from x -> each of them times the matrix, [n * cells, o].

    The gradient by x is a convolution of the same kind, of the outputs' gradients with the window turned round. That
    is why x is an input; MindSpore would scatter and add instead.
    """

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.reverse_windows = ms.Tensor(grid.reverse_windows())
        self.gather, self.multiply_transposed = _Gather(), ops.MatMul(transpose_a=True)

    def construct(self, x: ms.Tensor, matrix: ms.Tensor, windows: tuple[ms.Tensor, ...]) -> tuple[ms.Tensor, ...]:
        return tuple([ops.matmul(window, matrix) for window in windows])

    def bprop(
        self,
        x: ms.Tensor,
        matrix: ms.Tensor,
        windows: tuple[ms.Tensor, ...],
        out: tuple[ms.Tensor, ...],
        dout: tuple[ms.Tensor, ...],
    ) -> tuple[ms.Tensor, ms.Tensor, tuple[ms.Tensor, ...]]:
        num, _, channels = x.shape
        outputs = matrix.shape[1]
        by_matrix = self.multiply_transposed(windows[0], dout[0])
        for i in range(1, len(windows)):
            by_matrix = by_matrix + self.multiply_transposed(windows[i], dout[i])
        by_outputs = ops.concat([part.reshape(num, -1, outputs) for part in dout], 1)
        turned = matrix.reshape(_TAPS, channels, outputs)[::-1].transpose(0, 2, 1).reshape(_TAPS * outputs, channels)
        by_x = ops.matmul(self.gather(by_outputs, self.reverse_windows), turned)
        return by_x.reshape(x.shape), by_matrix, windows  # nothing is asked of the windows' gradient


class _Larger(nn.Cell):
    """The elementwise maximum; of two equal values the first gets the gradient, as in a max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.where_positive = _grad_ops.ReluGrad()

    def construct(self, a: ms.Tensor, b: ms.Tensor) -> ms.Tensor:
        return ops.maximum(a, b)

    def bprop(self, a: ms.Tensor, b: ms.Tensor, out: ms.Tensor, dout: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        by_b = self.where_positive(dout, b - a)
        return dout - by_b, by_b
