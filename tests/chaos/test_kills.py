"""A service that is killed and comes back costs its readers time and nothing else."""

import hashlib
import random
import signal
import time
from collections.abc import Collection

import pytest

from shared.client import connect
from tests.services import ServiceProcess

TOY = "tests.toy_server", "PORT", "--train", "6400", "--width", "64", "--height", "32"
REAL = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--stop-with-stdin"


def read_epoch(service: ServiceProcess, batch_size: int, kills: Collection[int] = ()) -> tuple[str, int, float]:
    """A digest of all samples of an epoch in order, how often the stream was reopened, and the longest wait in s.

    kills: the service is killed, and started again, when these steps have been read.
    """
    digest, longest_s = hashlib.sha256(), 0.0
    with connect(service.target) as client, client.stream("train", epoch=3, global_batch_size=batch_size) as stream:
        started = time.monotonic()
        for batch in stream:
            longest_s = max(longest_s, time.monotonic() - started)
            for array in (batch.indices, batch.labels, batch.images):
                digest.update(array.tobytes())
            if batch.step in kills:
                service.end(signal.SIGKILL)
                service.start()
            started = time.monotonic()
        return digest.hexdigest(), stream.reopened, longest_s


def test_killed_three_times_in_an_epoch_the_sequence_is_the_same() -> None:
    kills = random.Random(1).sample(range(60), 3)
    with ServiceProcess(*TOY) as service:
        undisturbed, reopened, _ = read_epoch(service, 64)
        assert reopened == 0
        disturbed, reopened, _ = read_epoch(service, 64, kills)
    assert disturbed == undisturbed
    assert reopened >= 3


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_twenty_times_in_an_epoch_of_the_real_service_the_sequence_is_the_same() -> None:
    kills = random.Random(2).sample(range(360), 20)
    with ServiceProcess(*REAL, "--count", "train=6400") as service:
        undisturbed, _, _ = read_epoch(service, 16)
        disturbed, reopened, longest_s = read_epoch(service, 16, kills)
    assert disturbed == undisturbed
    assert reopened >= 20
    print(f"\n20 kills in 400 steps: 0 lost, 0 duplicated, {reopened} reopened, slowest step {longest_s:.1f} s")
