"""From the client to MindSpore: the batches of a whole run as one `GeneratorDataset`.

Note: MindSpore calls `iter(source)` before it wants data and drops the type of exceptions that cross it. So
`__iter__` is a generator function (no request leaves before the first `next`), epochs are numbered here rather than by
MindSpore, and the original exception stays on `source.error`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from numpy.typing import NDArray

from shared.client import DatasetClient
from shared.dataset.rank_slice import RankSlice
from shared.protocol.batch import Batch
from shared.protocol.codec import Codec
from shared.protocol.request import StreamRequest

Row = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint64]]
TensorRows = Iterator[tuple[ms.Tensor, ms.Tensor, ms.Tensor]]
"Images, labels and indices of one step after another."


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """What one rank reads: steps `first_step` to `last_step` (exclusive), counted over epochs, of one split."""

    split: str
    slice: RankSlice
    first_step: int
    last_step: int
    order_seed: int = 0
    shuffle: bool = True
    codec: Codec | None = None
    "How images travel; None: as the service offers first."
    prefetch: int = 4

    def requests(self, client: DatasetClient) -> Iterator[StreamRequest]:
        """One for each epoch that the plan touches."""
        step = self.first_step
        while step < self.last_step:
            epoch, first = divmod(step, self.slice.num_steps)
            num = min(self.slice.num_steps - first, self.last_step - step)
            yield client.request(
                self.split,
                order_seed=self.order_seed,
                shuffle=self.shuffle,
                epoch=epoch,
                first_step=first,
                num_steps=num,
                global_batch_size=self.slice.global_batch_size,
                rank=self.slice.rank,
                ranks=self.slice.ranks,
                remainder=self.slice.remainder,
                codec=self.codec,
            )
            step += num


class BatchSource:
    """An iterable of rows, one per step: images uint8 [n, height, width, 3], labels int32 [n, max_length], indices."""

    def __init__(
        self, client: DatasetClient, plan: StreamPlan, prepare: Callable[[Batch], NDArray[np.uint8]] | None = None
    ) -> None:
        """prepare: gives the images of a batch as they are to be used; called in the thread that reads."""
        self._plan, self._prepare = plan, prepare
        self._streams = client.open_streams(plan.requests(client), plan.prefetch)
        self._closed = False
        self.error: Exception | None = None

    def __len__(self) -> int:
        return self._plan.last_step - self._plan.first_step

    def __iter__(self) -> Iterator[Row]:
        try:
            for batch in self._streams:
                images = batch.images if self._prepare is None else self._prepare(batch)
                yield images, batch.labels.astype(np.int32), batch.indices
        except Exception as error:
            self.error = error
            raise

    @property
    def reopened(self) -> int:
        """How often a stream was opened again after a fault."""
        return self._streams.reopened

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Ends a blocked read, so that MindSpore's reading thread can stop."""
        self._closed = True
        self._streams.close()


def generator_dataset(source: BatchSource, prefetch: int) -> Any:
    """A `GeneratorDataset` with the columns images, labels and indices over `source`, read once from end to end.

    One thread reads: MindSpore's multiprocess mode forks, and gRPC channels do not survive a fork.
    """
    ds.config.set_prefetch_size(prefetch)
    return ds.GeneratorDataset(source, ["images", "labels", "indices"], num_parallel_workers=1, shuffle=False)


def tensor_rows(source: BatchSource, prefetch: int) -> TensorRows:
    """The same as an iterator; MindSpore refuses a source without rows, such as that of a finished run."""
    return iter(generator_dataset(source, prefetch).create_tuple_iterator(num_epochs=1)) if len(source) else iter(())
