"""The device, and how to wait for it.

Note: `Tensor.asnumpy()` on a step still running makes the Python thread spin, on the very cores that compute.
On two cores a 2 x LSTM 256 step took 569 ms that way and 100 ms when the thread slept instead. So the last
operation of a compiled step is a `Signal`, which hands its value to Python and wakes the waiting thread.
"""

import queue
import signal
import threading
from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recogniser.device_name import Device

_TARGETS = {"cpu": "CPU", "gpu": "GPU", "ascend": "Ascend"}


def set_device(device: Device) -> None:
    """Chooses where networks run from now on; raises `UsageError` where MindSpore finds no such device.

    For a GPU or an Ascend: call it once, before the ranks are joined. Which of several devices it is MindSpore chooses:
    the first that the process may see, and under msrun each rank's own (by the documents; not run on a device).
    """
    if device == "cpu" and ms.get_context("device_target") == "CPU":
        return  # MindSpore refuses a device once it has computed something.
    try:
        ms.set_device(_TARGETS[device])
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise UsageError(f"--device {device} is not available here ({reason}); try --device cpu") from error


class Signal(nn.Cell):
    """Passes a tensor through and lets `run` sleep until it is there.

    On CPU an `ops.Custom` Python function does it, which other devices do not have. They compute in a queue of their
    own: the call returns once the step is queued, and `run` waits where it reads the tensor (by the documents; not run
    on a device).
    """

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._values: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()
        self.on_cpu = device == "cpu"
        self.hand_over = ops.identity
        if self.on_cpu:
            self.hand_over = ops.Custom(
                self._put, out_shape=lambda shape: shape, out_dtype=lambda dtype: dtype, func_type="pyfunc"
            )

    def construct(self, value: ms.Tensor) -> ms.Tensor:
        """Call it last inside the compiled function, on a value that depends on all the work."""
        return self.hand_over(value)

    def run(self, compiled: Callable[..., ms.Tensor], *inputs: ms.Tensor) -> NDArray[np.float32]:
        """The contents of `compiled(*inputs)`, a function that ends with this cell; sleeps until they are there."""
        on_interrupt = signal.getsignal(signal.SIGINT)
        value = compiled(*inputs)
        # MindSpore's compiler leaves a handler behind that turns Ctrl-C into SIGTERM.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, on_interrupt)
        return self._values.get() if self.on_cpu else value.asnumpy()

    def _put(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        self._values.put(value.copy())
        return value
