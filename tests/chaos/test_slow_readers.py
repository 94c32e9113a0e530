"""Readers that stop reading cost the service a bounded amount of memory, for as long as they like."""

import time
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from shared.channel import OPTIONS
from shared.client import connect
from shared.pb.captcha.v1 import dataset_pb2 as pb
from tests.services import ServiceProcess, open_stream

# The published size: a batch of 64 is a message of 2 MB.
TOY = "tests.toy_server", "PORT", "--train", "1000000", "--width", "160", "--height", "64"
READERS = 8
# Four batches ahead, one on its way, and what gRPC buffers.
LIMIT_MB = 40 * READERS


def resident_mb(process: int) -> float:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def memory_under_slow_readers(duration_s: float) -> tuple[float, list[float]]:
    """Resident MB of the service before, and every half second while the readers do not read."""
    request = pb.StreamBatchesRequest(split="train", global_batch_size=64, ranks=1).SerializeToString()
    with ServiceProcess(*TOY) as service, connect(service.target) as client, ExitStack() as stack:
        with client.stream("train", num_steps=10) as stream:
            list(stream)
        before_mb, during_mb = resident_mb(service.process.pid), []
        # Each with a connection of its own, as readers on different machines have.
        channels = [grpc.insecure_channel(service.target, [*OPTIONS, ("reader", n)]) for n in range(READERS)]
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
    before_mb, during_mb = memory_under_slow_readers(2)
    print(f"\n{READERS} stopped readers: service from {before_mb:.0f} MB to {max(during_mb):.0f} MB")
    assert max(during_mb) - before_mb < LIMIT_MB


@pytest.mark.long
def test_eight_readers_that_stop_for_two_minutes_cost_no_more_than_for_five_seconds() -> None:
    before_mb, during_mb = memory_under_slow_readers(120)
    early_mb, late_mb = max(during_mb[:10]), max(during_mb)
    figures = f"{before_mb:.0f} MB before, {early_mb:.0f} MB after 5 s, {late_mb:.0f} MB at most in 120 s"
    print(f"\n{READERS} stopped readers: service {figures}")
    assert late_mb - before_mb < LIMIT_MB
    assert late_mb - early_mb < 8
