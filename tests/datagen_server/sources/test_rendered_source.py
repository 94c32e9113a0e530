import gc
import os
import random
import signal
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from datagen_server.sources.rendered_source import RenderedSource, _Chunk
from shared.errors import UsageError
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from tests.datagen_server.processes import children, wait_until, workers_of
from tests.datagen_server.sources.source_contract import (
    COUNTS,
    SPEC,
    TIMEOUT_S,
    OpenSource,
    SourceContract,
    assert_are_the_samples,
    indices_of,
    read,
)


class TestRenderedSource(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def open_source(cls) -> OpenSource:
        return lambda: RenderedSource(SPEC, COUNTS, num_workers=2)


@pytest.fixture
def others() -> set[int]:
    """The child processes that are not the source's."""
    return children()


@pytest.fixture
def source(others: set[int]) -> Iterator[RenderedSource]:
    source = RenderedSource(SPEC, COUNTS, num_workers=2)
    yield source
    source.close()


def test_it_offers_raw_zstd_and_png() -> None:
    assert RenderedSource.codecs == (Codec.RAW, Codec.ZSTD, Codec.PNG)


def test_the_number_of_workers_changes_no_byte() -> None:
    indices = indices_of(*range(50))
    pixels = []
    for num_workers in (1, 3):
        source = RenderedSource(SPEC, COUNTS, num_workers)
        pixels.append(b"".join(read(source, "train", indices).payloads))
        source.close()
    assert pixels[0] == pixels[1]


def test_no_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="workers must be at least 1, got 0"):
        RenderedSource(SPEC, COUNTS, num_workers=0)


def kill_workers_while_reading(source: RenderedSource, num_kills: int, seed: int) -> int:
    """Kills a random worker every few reads; returns how many samples were read, each of them checked."""
    chance = random.Random(seed)
    reads: deque[tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint64]], Future[Records]]] = deque()
    num_samples = 0
    for _ in range(num_kills):
        for _ in range(4):
            indices = np.array([chance.randrange(COUNTS["train"]) for _ in range(64)], np.uint64)
            reads.append((indices, source.read("train", indices, Codec.RAW)))
        time.sleep(chance.random() * 0.1)
        wait_until(lambda: bool(workers_of()), "a worker to kill")
        os.kill(chance.choice(sorted(workers_of())), signal.SIGKILL)
        while reads:
            indices, future = reads.popleft()
            assert_are_the_samples(future.result(TIMEOUT_S), "train", indices)
            num_samples += len(indices)
    return num_samples


def test_killed_workers_lose_nothing(source: RenderedSource) -> None:
    assert kill_workers_while_reading(source, num_kills=3, seed=0) == 3 * 4 * 64
    wait_until(lambda: len(workers_of()) == 2, "both workers")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_hundreds_of_killed_workers_lose_nothing(source: RenderedSource) -> None:
    num_samples = kill_workers_while_reading(source, num_kills=300, seed=1)
    print(f"300 workers killed, {num_samples} samples read, 0 lost, 0 wrong")


def test_closing_leaves_no_process(source: RenderedSource, others: set[int]) -> None:
    read(source, "train", indices_of(1))
    wait_until(lambda: len(workers_of()) == 2, "both workers")
    source.close()
    assert children() == others


def test_closing_ends_the_reads_under_way(source: RenderedSource) -> None:
    futures = [source.read("train", indices_of(*range(100)), Codec.PNG) for _ in range(20)]
    source.close()
    wait_until(lambda: all(future.done() for future in futures), "every read to end")
    assert futures[-1].exception() is not None


def test_a_read_that_nobody_wants_any_more_is_not_rendered(source: RenderedSource) -> None:
    unwanted = source.read("train", indices_of(*range(50), *range(50)), Codec.RAW)
    parts = list(unwanted._parts)  # type: ignore[attr-defined]
    assert unwanted.cancel()
    assert_are_the_samples(
        source.read("train", indices_of(1, 2), Codec.RAW).result(TIMEOUT_S), "train", indices_of(1, 2)
    )
    assert sum(part.cancelled() for part in parts) >= 3


def test_nothing_of_a_read_stays_once_its_records_are_gone(source: RenderedSource) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            source.read("train", indices_of(*range(64)), Codec.RAW).result(TIMEOUT_S)
        # Of 40 chunks the last of each worker.
        wait_until(lambda: sum(map(is_chunk, gc.get_objects())) <= 2, "the rendered chunks to go")
    finally:
        gc.enable()


def is_chunk(value: object) -> bool:
    return type(value) is _Chunk
