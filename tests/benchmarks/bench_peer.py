"""Streaming from shards: our service against tf.data service and a bare socket, the very same samples, in turns.

    python -m tests.benchmarks.bench_peer [--python .venv-peer/bin/python] [--rounds N] [--epochs N] [--samples N]

Ours reads each epoch in another shuffled order, and checks every record and every batch against its checksum. The peer
reads uncompressed, in stored order, and checks neither. The ratio is the median over the rounds.
"""

import argparse
import json

from rich.console import Console
from rich.table import Table

from shared.codec import Codec
from tests.benchmarks.sides import bare_socket, materialized, message_bytes_per_image, service, tfdata_service
from tests.benchmarks.turns import in_turns, ratios, summary


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=".venv-peer/bin/python", help="with TensorFlow; default %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="in each turn; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    options = parser.parse_args()
    with materialized(options.samples, Codec.RAW) as stored, service(stored, 1) as ours:
        image_bytes = message_bytes_per_image(ours, Codec.RAW)
        with tfdata_service(stored, options.python) as peer, bare_socket(stored, 1, image_bytes) as socket:
            readings = in_turns([ours, peer, socket], options.rounds, options.epochs)
        version = peer.server.ready_line.split()[1]
    table = Table(
        "side",
        "images/s",
        "CPU s per 100,000",
        "of it server",
        title=f"tensorflow {version}, {image_bytes:,.0f} B/image",
    )
    for name, turns in readings.items():
        median = summary(turns)
        table.add_row(name, *(f"{value:,.{digits}f}" for value, digits in zip(median.values(), (0, 2, 2), strict=True)))
    Console().print(table)
    peer_ratio, worst = ratios(readings[ours.name], readings[peer.name])
    socket_ratio, _ = ratios(readings[ours.name], readings[socket.name])
    result = {
        "benchmark": "peer",
        "tensorflow": version,
        "ratio": round(peer_ratio, 2),
        "ratio_worst_round": round(worst, 2),
        "ratio_to_bare_socket": round(socket_ratio, 3),
        "rounds": options.rounds,
        **{name.replace(" ", "_"): summary(turns) for name, turns in readings.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
