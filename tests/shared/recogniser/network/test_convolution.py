"""Both forms of the pooled convolution agree with a plain one in NumPy, and with each other in every gradient."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from numpy.typing import NDArray

from shared.recogniser.network.convolution import Grid, PooledConvolution

Array = NDArray[np.float32]
GRIDS = [
    # width, height, width and height of the pooling cell
    (8, 4, 2, 2),
    (6, 8, 1, 2),
    (4, 2, 2, 1),
    (5, 3, 1, 1),
    (2, 2, 2, 2),
]


@pytest.mark.parametrize("form", ["CPU", "GPU"])
@pytest.mark.parametrize("shape", GRIDS)
def test_a_pooled_convolution_is_the_plain_one(shape: tuple[int, int, int, int], form: str) -> None:
    grid, (x, weight, _) = _grid(shape), _inputs(shape)
    found = PooledConvolution(grid, form)(ms.Tensor(x), ms.Tensor(weight)).asnumpy()
    assert np.abs(found - _plain(x, weight, grid)).max() < 1e-5


@pytest.mark.parametrize("shape", GRIDS)
def test_the_gradients_of_both_forms_agree(shape: tuple[int, int, int, int]) -> None:
    grid, inputs = _grid(shape), [ms.Tensor(array) for array in _inputs(shape)]
    product, operator = (_Gradient(PooledConvolution(grid, form))(*inputs) for form in ("CPU", "GPU"))
    for one, other in zip(product, operator, strict=True):
        assert np.abs(one.asnumpy() - other.asnumpy()).max() < 1e-4


def test_of_equal_values_in_a_pooling_cell_only_one_gets_the_gradient() -> None:
    grid = Grid(width=2, height=2, cell_width=2, cell_height=2)
    flat, weight = np.ones((1, 4, 1), np.float32), np.zeros((1, 1, 3, 3), np.float32)
    _, by_weight = _Gradient(PooledConvolution(grid, "CPU"))(
        ms.Tensor(flat), ms.Tensor(weight), ms.Tensor(np.ones((1, 1, 1), np.float32))
    )
    assert by_weight.asnumpy()[0, 0].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


class _Gradient(nn.Cell):
    """(x, weight, d) -> the gradients of the sum of d times the pooled convolution, by x and by weight."""

    def __init__(self, convolution: PooledConvolution) -> None:
        super().__init__()
        self.convolution = convolution
        self.gradient = ms.grad(self._weighted, (0, 1))

    @ms.jit
    def construct(self, x: ms.Tensor, weight: ms.Tensor, d: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        return self.gradient(x, weight, d)

    def _weighted(self, x: ms.Tensor, weight: ms.Tensor, d: ms.Tensor) -> ms.Tensor:
        return (self.convolution(x, weight) * d).sum()


def _grid(shape: tuple[int, int, int, int]) -> Grid:
    width, height, cell_width, cell_height = shape
    return Grid(width=width, height=height, cell_width=cell_width, cell_height=cell_height)


def _inputs(shape: tuple[int, int, int, int]) -> tuple[Array, Array, Array]:
    """x [3, width * height, 5], weight [6, 5, 3, 3], gradient [3, cells, 6]."""
    rng, (width, height, cell_width, cell_height) = np.random.default_rng(0), shape
    cells = width * height // (cell_width * cell_height)
    shapes = (3, width * height, 5), (6, 5, 3, 3), (3, cells, 6)
    x, weight, d = (rng.standard_normal(each).astype(np.float32) for each in shapes)
    return x, weight, d


def _plain(x: Array, weight: Array, grid: Grid) -> Array:
    num, _, channels = x.shape
    framed = np.pad(x.reshape(num, grid.width, grid.height, channels), ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((num, grid.width, grid.height, len(weight)))
    for i in range(3):
        for j in range(3):
            out += framed[:, i : i + grid.width, j : j + grid.height] @ weight[:, :, i, j].T.astype(np.float64)
    columns, rows = grid.pooled()
    cells = out.reshape(num, columns, grid.cell_width, rows, grid.cell_height, len(weight))
    pooled: Array = cells.max(axis=(2, 4)).reshape(num, columns * rows, len(weight))
    return pooled
