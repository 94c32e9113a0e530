"""A data set service as a `torch.utils.data.IterableDataset` of whole batches.

    dataset = CaptchaIterableDataset("127.0.0.1:50051", "train", global_batch_size=64)
    for batch in DataLoader(dataset, batch_size=None, num_workers=2): ...

Note: DataLoader workers need no coordination. Worker w of W reads steps w, w+W, w+2W and so on, and these are
themselves a rank's slices of a global batch W times as large, so each worker has one ordinary stream, and DataLoader,
which asks its workers in turn, gives the steps in their order. The service is spoken to in the workers only.
"""

from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import fields as fields_of
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from shared.client import Batch, Remainder, Security, connect
from shared.dataset.rank_slice import RankSlice

TorchBatch = dict[str, Any]
"images uint8 [n, height, width, 3], labels int64 [n, max_length], indices int64 [n]: tensors; epoch, step: int."


class CaptchaIterableDataset(IterableDataset[TorchBatch]):
    """One rank's batches of an epoch; `set_epoch` before each, as with `DistributedSampler`.

    options: those of `DatasetClient.stream` but epoch and steps. Raises at once what `connect` and `stream` raise.
    state_dict and load_state_dict are for `torchdata.stateful_dataloader`; with a plain `DataLoader`, load
    {"epoch": batch["epoch"], "step": batch["step"] + 1} of the last batch, whatever the number of workers.
    """

    def __init__(self, target: str, split: str, *, security: Security | None = None, **options: Any) -> None:
        super().__init__()
        self._target, self._split, self._security = target, split, security or Security()
        with connect(target, security=self._security) as client:
            fields = {name: value for name, value in options.items() if name != "prefetch"}
            request = client.request(split, **fields)
        self._rank_slice, self._options = request.rank_slice, {**options, "codec": request.codec}
        for field in fields_of(RankSlice):
            self._options.pop(field.name, None)
        # Workers that persist see what is set here.
        self._start = torch.zeros(2, dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """The next iteration reads this epoch from its first step."""
        self.load_state_dict({"epoch": epoch, "step": 0})

    def state_dict(self) -> dict[str, int]:
        """Where the next iteration begins."""
        epoch, step = self._start.tolist()
        return {"epoch": epoch, "step": step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """The next iteration begins there."""
        self._start[:] = torch.tensor([state["epoch"], state["step"]])

    def __len__(self) -> int:
        """Batches of the next iteration, over all workers."""
        return self._rank_slice.num_steps - self.state_dict()["step"]

    def __iter__(self) -> "Iterator[TorchBatch]":
        info = get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info else (0, 1)
        epoch, step = self._start.tolist()
        return _WorkerBatches(self, epoch, step + worker, num_workers)

    def read(self, epoch: int, step: int, stride: int) -> Iterator[TorchBatch]:
        """The batches of steps `step`, `step + stride` and so on to the end of the epoch."""
        own = self._rank_slice
        num_steps = -(-(own.num_steps - step) // stride)
        if num_steps < 1:
            return
        wide = RankSlice(
            count=own.count,
            global_batch_size=own.global_batch_size * stride,
            rank=step % stride * own.ranks + own.rank,
            ranks=own.ranks * stride,
            remainder=Remainder.PAD,
        )
        place: dict[str, Any] = {"epoch": epoch, "first_step": step // stride, "num_steps": num_steps}
        fields = asdict(wide)
        del fields["count"]
        with (
            connect(self._target, security=self._security) as client,
            client.stream(self._split, **place, **fields, **self._options) as stream,
        ):
            for batch in stream:
                yield _tensors(batch, batch.step * stride + step % stride)


class _WorkerBatches(Iterator[TorchBatch]):
    """Every `stride`-th batch, with the place of the next one as its state."""

    def __init__(self, dataset: CaptchaIterableDataset, epoch: int, step: int, stride: int) -> None:
        self._dataset, self._epoch, self._step, self._stride = dataset, epoch, step, stride
        self._batches: Iterator[TorchBatch] | None = None

    def __next__(self) -> TorchBatch:
        if self._batches is None:
            self._batches = self._dataset.read(self._epoch, self._step, self._stride)
        batch = next(self._batches)
        self._step = batch["step"] + self._stride
        return batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "step": self._step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._step, self._batches = state["epoch"], state["step"], None


def _tensors(batch: Batch, step: int) -> TorchBatch:
    labels, indices = batch.labels.astype(np.int64), batch.indices.astype(np.int64)
    arrays: dict[str, NDArray[Any]] = {"images": batch.images, "labels": labels, "indices": indices}
    tensors = {name: torch.from_numpy(_writable(array)) for name, array in arrays.items()}
    return {**tensors, "epoch": batch.epoch, "step": step}


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    # Raw images are a view of the received bytes, and a tensor over those could be written to.
    return array if array.flags.writeable else array.copy()
