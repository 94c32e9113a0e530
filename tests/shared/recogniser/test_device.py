"""Waiting for a step: on CPU by a Python operator, elsewhere by reading the tensor, with the same result."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from shared.errors import UsageError
from shared.recogniser.device import Signal, set_device
from shared.recogniser.device_name import Device


class _Doubled(nn.Cell):
    def __init__(self, device: Device) -> None:
        super().__init__()
        self.signal = Signal(device)

    @ms.jit
    def construct(self, value: ms.Tensor) -> ms.Tensor:
        return self.signal(value * 2)


@pytest.mark.parametrize("device", ["cpu", "gpu", "ascend"])
def test_the_value_comes_back_whichever_way_it_is_waited_for(device: Device) -> None:
    cell = _Doubled(device)
    for start in (0.0, 5.0):
        values = np.arange(start, start + 4, dtype=np.float32)
        assert np.array_equal(cell.signal.run(cell, ms.Tensor(values)), values * 2)


def test_the_python_operator_is_made_on_cpu_alone() -> None:
    made = {device: isinstance(Signal(device).hand_over, ops.Custom) for device in ("cpu", "gpu", "ascend")}
    assert made == {"cpu": True, "gpu": False, "ascend": False}


def test_cpu_may_be_chosen_again_and_what_is_not_there_is_refused() -> None:
    set_device("cpu")
    set_device("cpu")
    for device in ("gpu", "ascend"):
        with pytest.raises(UsageError, match=f"--device {device} is not available here"):
            set_device(device)
    set_device("cpu")
