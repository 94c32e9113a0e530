"""Streaming from shards: our service against tf.data service and a bare socket, the very same samples, in turns.

    python -m tests.benchmarks.streaming.bench_peer [--python .venv-peer/bin/python]
        [--rounds N] [--epochs N] [--samples N]

Ours reads each epoch in another shuffled order, and checks every record and every batch against its checksum; once from
shards as `materialize` writes them (Zstandard), once from raw ones. The peer reads uncompressed, in stored order, and
checks neither. The bare socket moves as many bytes as raw batches have. `minimal_service` is the bound
of ours: it reads, checks, sends, checks and decodes, and does nothing else. Ratios are the median over the rounds.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from datagen_server.shards import DEFAULT_CODEC
from shared.protocol.codec import Codec
from tests.benchmarks.streaming.sides import (
    bare_socket,
    materialized,
    message_bytes_per_image,
    minimal_service,
    service,
    tfdata_service,
)
from tests.benchmarks.turns import Reading, in_turns, ratios, summary


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=".venv-peer/bin/python", help="with TensorFlow; default %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="in each turn; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    options = parser.parse_args()
    with ExitStack() as stack:
        stores = [stack.enter_context(materialized(options.samples, codec)) for codec in (DEFAULT_CODEC, Codec.RAW)]
        ours, raw = (stack.enter_context(service(one, 1, name=f"service, {one.codec.value}")) for one in stores)
        image_bytes = message_bytes_per_image(raw, Codec.RAW)
        peer = stack.enter_context(tfdata_service(stores[1], options.python))
        socket = stack.enter_context(bare_socket(stores[1], 1, image_bytes))
        least = stack.enter_context(minimal_service(stores[0], threads=2, name="minimal service, zstd"))
        least_raw = stack.enter_context(minimal_service(stores[1], threads=1, name="minimal service, raw"))
        sides = [ours, raw, peer, socket, least, least_raw]
        readings = in_turns(sides, options.rounds, options.epochs)
        version = peer.server.ready_line.split()[1]
    Console().print(_table(readings, f"tensorflow {version}, {image_bytes:,.0f} B/image raw"))
    ratio, worst = ratios(readings[ours.name], readings[peer.name])
    raw_ratio, raw_worst = ratios(readings[raw.name], readings[peer.name])
    socket_ratio, _ = ratios(readings[raw.name], readings[socket.name])
    least_ratio, _ = ratios(readings[least.name], readings[peer.name])
    least_socket_ratio, _ = ratios(readings[least_raw.name], readings[socket.name])
    result = {
        "benchmark": "peer",
        "tensorflow": version,
        "ratio": round(ratio, 2),
        "ratio_worst_round": round(worst, 2),
        "raw_ratio": round(raw_ratio, 2),
        "raw_ratio_worst_round": round(raw_worst, 2),
        "raw_ratio_to_bare_socket": round(socket_ratio, 3),
        "minimal_ratio": round(least_ratio, 2),
        "minimal_raw_ratio_to_bare_socket": round(least_socket_ratio, 3),
        "rounds": options.rounds,
        **{name.replace(",", "").replace(" ", "_"): summary(turns) for name, turns in readings.items()},
    }
    print(json.dumps(result))


def _table(readings: Mapping[str, Sequence[Reading]], title: str) -> Table:
    table = Table("side", "images/s", "CPU s per 100,000", "of it server", title=title)
    for name, turns in readings.items():
        median = summary(turns)
        table.add_row(name, *(f"{value:,.{digits}f}" for value, digits in zip(median.values(), (0, 2, 2), strict=True)))
    return table


if __name__ == "__main__":
    main()
