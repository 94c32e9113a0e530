"""What watching costs: streaming from shards with the status page and /metrics asked for every second, against without.

    python -m tests.benchmarks.streaming.bench_metrics [--rounds N] [--epochs N] [--samples N]

Both sides count their steps, for counting is always on; what that costs is timed by itself, in a loop around a stream
that does nothing else, and compared with the time of a step. The ratio is the median over the rounds.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from urllib.request import urlopen

import grpc
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from datagen_server.service.monitoring.call_metrics import CallCounter
from datagen_server.service.monitoring.stream_metrics import StreamMeter
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.contract import SERVICE
from shared.protocol.request import StreamRequest
from tests.benchmarks.streaming.sides import materialized, service
from tests.benchmarks.turns import BATCH_SIZE, Reading, Side, in_turns, ratios, summary

_STEPS = 200_000


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=24, help="in each turn; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    options = parser.parse_args()
    with (
        materialized(options.samples, Codec.RAW) as stored,
        service(stored, 1, name="without") as plain,
        service(stored, 1, name="watched", serve=["--metrics-listen", "127.0.0.1:0"]) as side,
    ):
        seen = WatchedFiles(side.name, side.server, side.readers, side.server.answer().split()[-1])
        readings = in_turns([plain, seen], options.rounds, options.epochs)
    table = Table("side", "images/s", "CPU s per 100,000", "of it server")
    for name, turns in readings.items():
        table.add_row(name, *(f"{value:,.{d}f}" for value, d in zip(summary(turns).values(), (0, 2, 2), strict=True)))
    Console().print(table)
    ratio, _ = ratios(readings["watched"], readings["without"])
    step_s, count_s = BATCH_SIZE / summary(readings["without"])["images_per_s"], counting_s()
    cpu = [summary(readings[name])["server_cpu_s_per_100k"] for name in ("watched", "without")]
    print(f"watched / without: {ratio:.4f} of the images a second, {cpu[0] / cpu[1]:.3f} of the server's CPU")
    print(f"counting: {count_s * 1e6:.2f} us of a step's {step_s * 1e6:.0f} us, {count_s / step_s:.2%}")
    result = {
        "benchmark": "metrics",
        "ratio": round(ratio, 4),
        "server_cpu_ratio": round(cpu[0] / cpu[1], 4),
        "counting_us_per_step": round(count_s * 1e6, 3),
        "step_us": round(step_s * 1e6, 1),
        "counting_share": round(count_s / step_s, 5),
        "rounds": options.rounds,
        **{name: summary(turns) for name, turns in readings.items()},
    }
    print(json.dumps(result))


@dataclass(frozen=True)
class WatchedFiles(Side):
    """A side whose status page and /metrics at `address` are asked for as its turn begins, and every second then."""

    address: str

    def turn(self, epochs: int) -> Reading:
        """See `Side`."""
        done = threading.Event()
        thread = threading.Thread(target=self._ask_until, args=(done,))
        thread.start()
        try:
            return super().turn(epochs)
        finally:
            done.set()
            thread.join()

    def _ask_until(self, done: threading.Event) -> None:
        while not done.is_set():
            for path in ("", "metrics"):
                with urlopen(f"http://{self.address}/{path}", timeout=60) as answer:
                    answer.read()
            done.wait(1)


def counting_s() -> float:
    """Seconds that the counting of one step takes: the meter of the stream, and the counter of messages."""
    dataset = Dataset(spec=DatasetSpec(), fingerprint="0" * 64)
    address = StreamRequest(dataset=dataset, split="train", global_batch_size=1)

    def bare(request: bytes, context: Any) -> Iterator[bytes]:
        for _ in range(_STEPS):
            yield b""

    def counted(request: bytes, context: Any) -> Iterator[bytes]:
        meter = StreamMeter(address, "", "")
        for step in range(_STEPS):
            meter.ready()
            yield b""
            meter.sent(step, 0)

    details = cast("grpc.HandlerCallDetails", SimpleNamespace(method=f"/{SERVICE}/StreamBatches"))
    handler = CallCounter(CollectorRegistry()).intercept_service(
        lambda _: grpc.unary_stream_rpc_method_handler(counted), details
    )
    assert handler is not None
    return (_seconds(cast("Any", handler).unary_stream) - _seconds(bare)) / _STEPS


def _seconds(behaviour: Any) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in behaviour(b"", SimpleNamespace(is_active=lambda: True)):
            pass
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
