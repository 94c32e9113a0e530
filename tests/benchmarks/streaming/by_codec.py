"""What `bench_stream` and `bench_end_to_end` share: the options, the turns, the table and the JSON line."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.protocol.codec import Codec
from tests.benchmarks.streaming.sides import Stored, bare_socket, materialized, message_bytes_per_image, service
from tests.benchmarks.turns import in_turns, ratios, summary

_COLUMNS = {
    "images_per_s": ("images/s", ",.0f"),
    "bytes_per_image": ("B/image", ",.0f"),
    "cpu_s_per_100k": ("CPU s/100k", ".2f"),
    "server_cpu_s_per_100k": ("server's", ".2f"),
    "bare_images_per_s": ("bare socket", ",.0f"),
    "ratio_to_bare_socket": ("ratio", ".3f"),
}


def run(name: str, description: str, *, ranks: Sequence[int], dataset: bool) -> None:
    """Prints the table, then one JSON line; dataset: read through GeneratorDataset."""
    options = _options(description, ranks)
    results = []
    for codec in options.codecs:
        with materialized(options.samples, codec) as stored:
            results += [_measured(stored, num, options, dataset=dataset) for num in options.ranks]
    table = Table(
        "codec", "ranks", *(heading for heading, _ in _COLUMNS.values()), title=f"{name}, median of the rounds"
    )
    for result in results:
        cells = (format(result[key], form) for key, (_, form) in _COLUMNS.items())
        table.add_row(result["codec"], str(result["ranks"]), *cells)
    Console().print(table)
    print(json.dumps({"benchmark": name, "samples": options.samples, "rounds": options.rounds, "results": results}))


def _options(description: str, ranks: Sequence[int]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=4, help="in each turn; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    parser.add_argument("--ranks", type=int, nargs="+", default=ranks, help="default %(default)s")
    parser.add_argument("--codecs", type=Codec, nargs="+", default=list(Codec), help="default: all of them")
    return parser.parse_args()


def _measured(stored: Stored, ranks: int, options: argparse.Namespace, *, dataset: bool) -> Mapping[str, Any]:
    with service(stored, ranks, dataset=dataset) as ours:
        image_bytes = message_bytes_per_image(ours, stored.codec)
        with bare_socket(stored, ranks, image_bytes) as socket:
            readings = in_turns([ours, socket], options.rounds, options.epochs)
    bare = summary(readings[socket.name])
    return {
        "codec": stored.codec.value,
        "ranks": ranks,
        "bytes_per_image": round(image_bytes),
        **summary(readings[ours.name]),
        "bare_images_per_s": bare["images_per_s"],
        "bare_cpu_s_per_100k": bare["cpu_s_per_100k"],
        "ratio_to_bare_socket": round(ratios(readings[ours.name], readings[socket.name])[0], 3),
    }
