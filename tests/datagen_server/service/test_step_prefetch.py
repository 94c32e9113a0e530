"""How far ahead of its reader a stream reads: not at all what takes no time, and up to its bound what does."""

from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from datagen_server.service.memory_budget import MIN_BYTES, MemoryBudget
from datagen_server.service.step_prefetch import StepPrefetcher
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.request import StreamRequest
from tests.support.toys import ToySource


class SometimesAtOnce(ToySource):
    """Reads of `at_once` are done when `read` returns."""

    at_once = True

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        future = super().read(split, indices, codec)
        if self.at_once:
            future.result()
        return future


def test_only_reads_that_take_time_are_made_ahead() -> None:
    source = SometimesAtOnce(delay_s=0.05)
    request = StreamRequest(dataset=source.dataset, split="train", global_batch_size=1, num_steps=20)
    read_ahead = []
    for encoded in StepPrefetcher(source, request, MemoryBudget(MIN_BYTES)):
        read_ahead.append(len(source.reads) - encoded.step - 1)
        source.at_once = not 2 <= encoded.step < 6
    assert read_ahead[:3] == [0, 0, 0]
    assert read_ahead[3:7] == [4, 4, 4, 4]
    assert read_ahead[-8:] == [0] * 8
    source.close()


def test_a_source_that_always_takes_time_is_read_ahead_from_the_first_step() -> None:
    source = ToySource(delay_s=0.05)
    request = StreamRequest(dataset=source.dataset, split="train", global_batch_size=1, num_steps=10)
    steps = iter(StepPrefetcher(source, request, MemoryBudget(MIN_BYTES)))
    next(steps)
    assert len(source.reads) == 5
    assert [encoded.step for encoded in steps] == list(range(1, 10))
    source.close()
