"""The memory budget: never over its limit, in turn, nothing lost whoever leaves, and what streams do with it."""

import threading

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen_server.service.memory_budget import MIN_BYTES, MemoryBudget
from datagen_server.service.monitoring import memory_monitor
from datagen_server.service.server import DatasetServer
from datagen_server.service.step_prefetch import StepPrefetcher
from shared.client import connect
from shared.client.channel import OPTIONS
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.request import StreamRequest
from shared.system.listen_address import ListenAddress
from tests.datagen_server.processes import wait_until
from tests.support.services import open_stream
from tests.support.toys import ToySource

MIB = 1 << 20
# A batch of 16 of these is 12 MiB: with its copy while it is sent, two fit into the smallest budget.
LARGE = DatasetSpec(width=512, height=512)


def test_a_budget_too_small_for_anything_is_refused() -> None:
    with pytest.raises(UsageError, match="--memory must be at least 64M, got 63M"):
        MemoryBudget(63 * MIB)


ACTIONS = st.sampled_from(["ask", "take", "release", "shrink"])


@given(st.lists(st.tuples(ACTIONS, st.integers(1, 100), st.integers(0, 9))))
def test_what_is_held_is_what_was_granted_and_stays_below_the_limit(
    actions: list[tuple[str, int, int]],
) -> None:
    budget, made = MemoryBudget(MIN_BYTES), []
    for action, size, number in actions:
        if action == "ask":
            made.append(budget.ask(size * MIB))
        elif action == "take":
            waiting = budget.waiting_since()
            if taken := budget.take(size * MIB):
                assert not waiting
                made.append(taken)
        elif made and action == "release":
            made[number % len(made)].release()
        elif made:
            made[number % len(made)].shrink(size * MIB)
        held = [one for one in made if one.granted.is_set() and not one.released]
        assert budget.held == sum(one.num_bytes for one in held)
        assert budget.held <= budget.limit or len(held) == 1
        waiting_now = [one for one in made if not one.granted.is_set()]
        assert len(budget.waiting_since()) == len(waiting_now)
        assert not waiting_now or held
    for one in made:
        one.release()
    assert budget.held == 0
    assert not budget.waiting_since()


def test_those_that_wait_are_served_in_their_turn() -> None:
    budget = MemoryBudget(MIN_BYTES)
    first, second, third = budget.ask(60 * MIB), budget.ask(10 * MIB), budget.ask(MIB)
    assert [one.granted.is_set() for one in (first, second, third)] == [True, False, False]
    assert budget.take(MIB) is None
    second.release()
    assert not second.wait()
    assert third.wait()
    assert budget.held == 61 * MIB


def test_a_stream_reads_ahead_only_with_memory_that_nobody_waits_for_and_holds_none_at_its_end() -> None:
    source = ToySource(LARGE, {"train": 1000})
    address = StreamRequest(dataset=source.dataset, split="train", global_batch_size=16, num_steps=5)
    budget = MemoryBudget(MIN_BYTES)
    steps = iter(StepPrefetcher(source, address, budget))
    assert next(steps).step == 0
    assert len(source.reads) == 2
    other = budget.ask(28 * MIB)
    assert [next(steps).step, next(steps).step] == [1, 2]
    assert other.wait()
    other.release()
    assert [encoded.step for encoded in steps] == [3, 4]
    assert budget.held == 0
    source.close()


def test_a_cancelled_stream_gives_back_what_it_holds_and_what_it_waits_for() -> None:
    source = ToySource(LARGE, {"train": 1000})
    address = StreamRequest(dataset=source.dataset, split="train", global_batch_size=16)
    budget = MemoryBudget(MIN_BYTES)
    holder = budget.ask(MIN_BYTES)
    waiting = StepPrefetcher(source, address, budget)
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(encoded.step for encoded in waiting))
    thread.start()
    wait_until(lambda: bool(budget.waiting_since()), "the stream to wait")
    waiting.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert got == []
    holder.release()
    reading = StepPrefetcher(source, address, budget)
    steps = iter(reading)
    next(steps)
    reading.cancel()
    assert list(steps) == []
    wait_until(lambda: budget.held == 0, "the memory")
    source.close()


def test_readers_over_the_budget_wait_for_the_stalled_and_all_of_them_finish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_monitor, "_STALLED_S", 0.5)
    monkeypatch.setattr(memory_monitor, "_PATIENCE_S", 0.1)
    source = ToySource(LARGE, {"train": 64})
    request = pb.StreamBatchesRequest(split="train", global_batch_size=16, ranks=1).SerializeToString()
    with DatasetServer(source, ListenAddress("127.0.0.1", 0), memory=MIN_BYTES) as server:
        target = str(server.listen)
        with grpc.insecure_channel(target, OPTIONS) as channel, connect(target) as client:
            stalled = [client.stream("train", global_batch_size=16, prefetch=1) for _ in range(6)]
            wait_until(lambda: server.num_waiting > 0, "readers over the budget")
            messages, _ = open_stream(channel, request)
            assert len(next(messages)) > 12 * MIB
            for stream in stalled:
                indices = np.sort(np.concatenate([batch.indices for batch in stream]))
                assert np.array_equal(indices, np.arange(64))
        wait_until(lambda: server.held_memory == 0, "the memory to be given back")
        server.drain(0.2)
    source.close()


def test_what_the_process_holds_besides_counts_up_to_a_quarter_and_one_call_is_always_admitted() -> None:
    budget = MemoryBudget(64 * MIB)
    budget.count_unreserved(32 * MIB)
    first = budget.ask(63 * MIB)
    assert first.granted.is_set(), "nobody else holds anything"
    first.shrink(40 * MIB)
    assert budget.take(9 * MIB) is None, "40 + 16 + 9 are more than 64"
    waiting = budget.ask(9 * MIB)
    assert not waiting.granted.is_set()
    budget.count_unreserved(8 * MIB)
    assert waiting.granted.is_set()
