"""Readers that stop reading cost the service a bounded amount of memory, for as long as they like."""

import time
from contextlib import ExitStack

import grpc
import pytest

from shared.client import connect
from shared.client.channel import OPTIONS
from shared.pb.captcha.v1 import dataset_pb2 as pb
from tests.support.memory import resident_mb
from tests.support.outcomes import OpenOutcome
from tests.support.services import ServiceProcess, open_stream

# The published size: a batch of 64 is a message of 2 MB.
TOY = "tests.support.toy_server", "PORT", "--train", "1000000", "--width", "160", "--height", "64"
# Four batches ahead, one on its way, and what gRPC buffers.
LIMIT_MB = 40


def memory_under_slow_readers(num_readers: int, duration_s: float) -> tuple[float, list[float]]:
    """Resident MB of the service before, and every half second while the readers do not read."""
    request = pb.StreamBatchesRequest(split="train", global_batch_size=64, ranks=1).SerializeToString()
    with ServiceProcess(*TOY) as service, connect(service.target) as client, ExitStack() as stack:
        with client.stream("train", num_steps=10) as stream:
            list(stream)
        before_mb, during_mb = resident_mb(service.process.pid), []
        # Each with a connection of its own, as readers on different machines have.
        channels = [grpc.insecure_channel(service.target, [*OPTIONS, ("reader", n)]) for n in range(num_readers)]
        readers = [open_stream(stack.enter_context(channel), request) for channel in channels]
        for messages, _ in readers:
            next(messages)
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            time.sleep(0.5)
            during_mb.append(resident_mb(service.process.pid))
        with client.stream("train", num_steps=5) as stream:
            assert len(list(stream)) == 5
        return before_mb, during_mb


def test_eight_readers_that_stop_cost_a_bounded_amount_of_memory() -> None:
    before_mb, during_mb = memory_under_slow_readers(8, 2)
    print(f"\n8 stopped readers: service from {before_mb:.0f} MB to {max(during_mb):.0f} MB")
    assert max(during_mb) - before_mb < LIMIT_MB * 8


@pytest.mark.long
@pytest.mark.timeout(600)
def test_thirty_two_readers_that_stop_for_five_minutes_cost_no_more_than_for_ten_seconds(outcome: OpenOutcome) -> None:
    with outcome(promise="8", what="32 readers stopped for 5 minutes: memory flat") as result:
        before_mb, during_mb = memory_under_slow_readers(32, 300)
        early_mb, late_mb = max(during_mb[:20]), max(during_mb)
        result.note = f"{before_mb:.0f} MB before, {early_mb:.0f} MB after 10 s, {late_mb:.0f} MB at most"
        with result.one_try(times=32):
            assert late_mb - before_mb < LIMIT_MB * 32
            assert late_mb - early_mb < 8
