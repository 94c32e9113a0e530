"""The logits of a checkpoint's network from MindSpore, on any of its devices.

The forward pass is one compiled function of `NETWORK_BATCH_SIZE` images; a smaller group is padded with copies of its
first image, and the rows of those are dropped. Note: the size is fixed on purpose. Matrix products of one shape give
each row the same bits whatever the other rows hold; products of another shape differ by about 2e-6. So an
image's logits do not depend on the images beside it.
"""

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from shared.dataset.fit import Fit
from shared.dataset.spec import DatasetSpec
from shared.recogniser.checkpoint import load_parameters
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.device import Signal
from shared.recogniser.device_name import Device
from shared.recogniser.network.captcha_network import CaptchaNetwork

NETWORK_BATCH_SIZE = 64
"Images in one pass through the network."


class Predictor:
    """The network of a checkpoint; raises `DataLoss` when the file does not hold what its JSON says."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, device: Device) -> None:
        self._info = info
        self.dataset_spec: DatasetSpec = info.dataset_spec()
        self.network_spec = info.network_spec()
        network = CaptchaNetwork(self.network_spec)
        load_parameters(checkpoint, network.trainable_params())
        self._forward = _Forward(network, device)

    @property
    def alphabet(self) -> str:
        """Class i is the i-th character."""
        return self.dataset_spec.alphabet

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.network_spec.width, self.network_spec.height

    @property
    def fit(self) -> Fit:
        """How pictures of another size are brought to this one."""
        return self._info.fit

    def warm_up(self) -> None:
        """Compiles the network, which takes seconds, so that the first batch is as fast as the others."""
        self.logits(np.zeros((1, *self.dataset_spec.image_shape), np.uint8))

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [frames, n, classes] for images uint8 [n, height, width, 3], n in 1..NETWORK_BATCH_SIZE."""
        spec = self.network_spec
        flat = self._forward.run(_padded(images))
        return flat.reshape(spec.num_frames, NETWORK_BATCH_SIZE, spec.num_classes)[:, : len(images)]


class _Forward(nn.Cell):
    """images uint8 [n, h, w, 3] -> float32 [frames * n * classes]."""

    def __init__(self, network: CaptchaNetwork, device: Device) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.signal = network, Signal(device)

    @ms.jit
    def construct(self, images: ms.Tensor) -> ms.Tensor:
        return self.signal(ops.cast(self.network(images), ms.float32).reshape(-1))

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.signal.run(self, ms.Tensor(images))


def _padded(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = NETWORK_BATCH_SIZE - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images
