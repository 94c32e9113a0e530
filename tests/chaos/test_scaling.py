"""A replica that is added behind a name serves its share of the readers within a minute, though none of them fails."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from datagen_server.cli import main
from shared.client import connect
from tests.shared.client.name_server import name_server
from tests.support.outcomes import OpenOutcome
from tests.support.services import ServiceProcess

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
NUM_READERS = 24
WARM_UP_S = 50.0
# A call of a reader lasts half a minute at most, and small batches are all sent at its beginning: what is consumed
# a minute after was sent in the half minute before.
SETTLED_S, MEASURED_S = 30.0, 30.0


class Service(ServiceProcess):
    """`serve` with its page of figures."""

    def __init__(self, shards: Path, listen: str) -> None:
        options = "--shards", str(shards), "--metrics-listen", "127.0.0.1:0", "--stop-with-stdin"
        super().__init__("datagen_server", "serve", "--listen", listen, *options)
        assert self.process.stdout is not None
        self._page = self.process.stdout.readline().strip().removeprefix("metrics on ")

    def num_images(self) -> float:
        """Sent since it started."""
        text = urlopen(f"http://{self._page}/metrics", timeout=10).read().decode()
        lines = [line for line in text.splitlines() if line.startswith("captcha_images_total")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


class Reader(threading.Thread):
    """One rank of a job, at ten steps a second, until told to stop."""

    def __init__(self, target: str, rank: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._target, self._rank, self._stop_event = target, rank, stop
        self.reopened, self.error = 0, ""

    def run(self) -> None:
        try:
            epoch = 0
            while not self._stop_event.is_set():
                self._read(epoch)
                epoch += 1
        except Exception as error:
            self.error = repr(error)

    def _read(self, epoch: int) -> None:
        with (
            connect(self._target) as client,
            client.stream(
                "train", epoch=epoch, global_batch_size=NUM_READERS, rank=self._rank, ranks=NUM_READERS, prefetch=1
            ) as stream,
        ):
            for _ in stream:
                if self._stop_event.wait(0.1):
                    break
            self.reopened += stream.reopened


def test_a_replica_that_is_added_serves_its_share_within_a_minute(outcome: OpenOutcome, tmp_path: Path) -> None:
    shards, stop = tmp_path / "shards", threading.Event()
    counts = [
        "--count",
        f"train={2000 * NUM_READERS}",
        "test=10",
        "--width",
        "40",
        "--height",
        "24",
        "--max-length",
        "1",
    ]
    assert main(["materialize", "--out", str(shards), *counts]) == 0
    with (
        outcome(promise="12", what="a replica added behind a name: its share within 60 s") as result,
        name_server("127.0.0.1") as names,
        ExitStack() as stack,
    ):
        first = stack.enter_context(Service(shards, "127.0.0.1:0"))
        port = first.target.rpartition(":")[2]
        readers = [Reader(f"dns://{names.authority}/datagen.test:{port}", rank, stop) for rank in range(NUM_READERS)]
        for reader in readers:
            reader.start()
        time.sleep(WARM_UP_S)
        second = stack.enter_context(Service(shards, f"127.0.0.2:{port}"))
        names.addresses.append("127.0.0.2")
        time.sleep(SETTLED_S)
        before = [service.num_images() for service in (first, second)]
        time.sleep(MEASURED_S)
        sent = [service.num_images() - number for service, number in zip((first, second), before, strict=True)]
        stop.set()
        for reader in readers:
            reader.join(30)
        share = sent[1] / sum(sent)
        result.note = f"{NUM_READERS} readers, the new one serves {share:.0%} of the images 60 s after it came"
        with result.one_try(times=NUM_READERS):
            assert [reader.error for reader in readers if reader.error] == []
            assert sum(reader.reopened for reader in readers) == 0
            assert 0.25 <= share <= 0.75
