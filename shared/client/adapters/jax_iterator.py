"""Batches that are on their way to a JAX device while the ones before are computed with.

with connect("127.0.0.1:50051") as client, client.stream("train") as stream:
    for images, labels in DeviceIterator(stream): ...
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jax

from shared.client import Batch, BatchStream, StreamState


class DeviceIterator(Iterator[tuple[jax.Array, jax.Array]]):
    """(images uint8 [n, height, width, 3], labels [n, max_length]) pairs on a device.

    stream: read by nobody else; its errors come through. ahead: how many batches, at least 1, are given to the
    device before they are asked for. device: a `jax.Device` or `Sharding`; None: JAX's default.
    """

    def __init__(self, stream: BatchStream, *, ahead: int = 2, device: Any = None) -> None:
        if ahead < 1:
            raise ValueError(f"ahead must be at least 1, got {ahead}")
        self._stream, self._ahead, self._device = stream, ahead, device
        self._ready: deque[tuple[Batch, tuple[jax.Array, jax.Array]]] = deque()
        self.batch: Batch | None = None
        "The batch on the host whose arrays `next` gave last: its step and indices."

    def __next__(self) -> tuple[jax.Array, jax.Array]:
        for batch in islice(self._stream, self._ahead + 1 - len(self._ready)):
            self._ready.append((batch, jax.device_put((batch.images, batch.labels), self._device)))
        if not self._ready:
            raise StopIteration
        self.batch, arrays = self._ready.popleft()
        return arrays

    def state_dict(self) -> StreamState:
        """The place of the next batch, as `BatchStream.state_dict`; what is ahead does not count as read."""
        state = self._stream.state_dict()
        return state | {"step": self._ready[0][0].step} if self._ready else state

    def load_state_dict(self, state: StreamState) -> None:
        """Goes on there; see `BatchStream.load_state_dict`."""
        self._ready.clear()
        self._stream.load_state_dict(state)
