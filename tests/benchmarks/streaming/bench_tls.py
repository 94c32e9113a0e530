"""What security costs: streaming from shards in plain text, in TLS, in mutual TLS with a token, in turns.

    python -m tests.benchmarks.streaming.bench_tls [--rounds N] [--epochs N] [--samples N] [--codecs NAME ...]

Every image crosses the loopback once and is encrypted and decrypted on the same cores, which is the dearest case; the
token is looked at once a stream and costs nothing here. Ratios are the median over the rounds.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.protocol.codec import Codec
from tests.benchmarks.streaming.sides import Stored, materialized, service
from tests.benchmarks.turns import Reading, in_turns, ratios, summary
from tests.support.certificates import Office

_PLAIN, _TLS, _MUTUAL = "plain text", "TLS", "mutual TLS, token"


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=4, help="in each turn; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    parser.add_argument("--codecs", type=Codec, nargs="+", default=[Codec.RAW, Codec.ZSTD], help="default raw zstd")
    options = parser.parse_args()
    columns = "codec", "side", "images/s", "ratio", "CPU s/100k", "ratio", "server's"
    table = Table(*columns, title="tls, median of the rounds")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        office = Office(Path(folder))
        for codec in options.codecs:
            with materialized(options.samples, codec) as stored:
                results[codec.value] = _measured(stored, office, options)
    for codec_name, sides in results.items():
        for name, side in sides.items():
            images = f"{side['images_per_s']:,}", f"{side['ratio']:.2f}"
            cpu = f"{side['cpu_s_per_100k']:.2f}", f"{side['cpu_ratio']:.2f}", f"{side['server_cpu_s_per_100k']:.2f}"
            table.add_row(codec_name, name, *images, *cpu)
    Console().print(table)
    print(json.dumps({"benchmark": "tls", "samples": options.samples, "rounds": options.rounds, "results": results}))


def _measured(stored: Stored, office: Office, options: argparse.Namespace) -> Mapping[str, Mapping[str, float]]:
    tls = "--tls-cert", office.cert, "--tls-key", office.key
    more = "--tls-client-ca", office.ca, "--token-file", office.token_file
    with ExitStack() as stack:
        sides = [
            stack.enter_context(service(stored, 1, name=_PLAIN)),
            stack.enter_context(service(stored, 1, name=_TLS, serve=tls, read=office.tls.arguments())),
            stack.enter_context(service(stored, 1, name=_MUTUAL, serve=[*tls, *more], read=office.mutual.arguments())),
        ]
        readings = in_turns(sides, options.rounds, options.epochs)
    plain = readings[_PLAIN]
    return {name: summary(turns) | _compared(turns, plain) for name, turns in readings.items()}


def _compared(turns: Sequence[Reading], plain: Sequence[Reading]) -> dict[str, float]:
    cpu = [one.cpu_s / other.cpu_s for one, other in zip(turns, plain, strict=True)]
    return {"ratio": round(ratios(turns, plain)[0], 3), "cpu_ratio": round(statistics.median(cpu), 3)}


if __name__ == "__main__":
    main()
