"""How the kernels are compiled: once, and kept on disk for later processes.

Note: Numba compiles anew when the file of a kernel changes, and looks at no other file. So a kernel calls nothing
that is compiled from another file.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])

Pixels = NDArray[np.uint32]
"[height, width], each red, green, blue and alpha, from the lowest byte up, as Pillow has them."
Bytes = NDArray[np.uint8]


def jit(function: _Function) -> _Function:
    """Compiles at the first call. Raises `RuntimeError` when there is nowhere to keep the machine code."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: _Function) -> _Function:
    """As `jit`, for small functions that others of the same file call."""
    return cast(_Function, numba.njit(inline="always", nogil=True, error_model="numpy")(function))
