"""Importing against decoding alone: how much of what Pillow decodes in as many processes ends up in shards.

    python -m tests.benchmarks.shards.bench_import [--pictures N] [--workers N] [--rounds N] [--codec raw|zstd|png]

In turns, over the same files: Pillow, import, the least import, Pillow ... Pillow's share is `open` and
`convert("RGB")` of each file in N processes; an import also digests, compresses, sorts, writes, syncs and hashes. The
least, `minimal_import.py`, does that and nothing else, and bounds what an import can reach. On all sides all counts,
from the start of the processes to their end. `share of wall` needs a quiet machine; `share of CPU` compares the CPU
seconds of all processes.

Note: a virtual machine may give free memory back to its host (free page reporting), and then each new page of a file
costs five to nine times as much CPU. An import makes files and decoding makes none.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from datagen_server.importing.decide import Choices
from datagen_server.importing.import_pictures import WORK, ImportRequest, import_pictures
from datagen_server.importing.labels import LabelRules
from datagen_server.importing.sources.detection import Hints
from datagen_server.shards import DEFAULT_CODEC, DEFAULT_SHARD_SIZE
from datagen_server.workers.executors import process_workers
from datagen_server.workers.pool import WorkerPool
from shared.dataset.fit import Fit
from shared.protocol.codec import Codec
from tests.benchmarks.shards.decoding import decode_together
from tests.benchmarks.shards.drawing import draw_pictures
from tests.benchmarks.shards.minimal_import import import_least

_Seconds = tuple[float, float]
"Wall, CPU."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60_000, help="160x64, PNG and JPEG; default %(default)s")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--codec", choices=[codec.value for codec in Codec], default=DEFAULT_CODEC.value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        pictures = Path(folder) / "pictures"
        paths = _draw(pictures, options.pictures, options.workers)
        alone: list[_Seconds] = []
        imports: list[_Seconds] = []
        least: list[_Seconds] = []
        out = Path(folder) / "out"
        for _ in range(options.rounds):
            alone.append(_measured(partial(decode_together, paths, options.workers)))
            for work, measured in ((_import, imports), (import_least, least)):
                measured.append(_measured(partial(work, pictures, out, options.workers, Codec(options.codec))))
                shutil.rmtree(out)
    result = {
        "benchmark": "import",
        "codec": options.codec,
        "pictures": options.pictures,
        "workers": options.workers,
        "images_per_s": round(options.pictures / statistics.median(wall for wall, _ in imports)),
        "pillow_images_per_s": round(options.pictures / statistics.median(wall for wall, _ in alone)),
        **dict(zip(("share_of_wall", "share_of_cpu"), _shares(alone, imports), strict=True)),
        **dict(zip(("least_share_of_wall", "least_share_of_cpu"), _shares(alone, least), strict=True)),
    }
    table = Table("", "figure", title=f"{options.pictures:,} pictures, {options.workers} workers, {options.codec}")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if not isinstance(value, str) else value)
    Console().print(table)
    print(json.dumps(result))


def _draw(folder: Path, num_pictures: int, num_workers: int) -> list[str]:
    folder.mkdir()
    pool = WorkerPool(num_workers)
    parts = [range(start, min(start + 1000, num_pictures)) for start in range(0, num_pictures, 1000)]
    for future in [pool.submit(draw_pictures, folder, part) for part in parts]:
        future.result()
    pool.shutdown()
    return sorted(str(path) for path in folder.iterdir())


def _measured(work: Callable[[], object]) -> _Seconds:
    """Those of all its processes, which have ended when it returns, included."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return time.perf_counter() - wall, _cpu_seconds() - cpu


def _shares(alone: Sequence[_Seconds], others: Sequence[_Seconds]) -> list[float]:
    """The medians of what Pillow takes over what the others take: wall and CPU seconds."""
    ratios = [(one[0] / other[0], one[1] / other[1]) for one, other in zip(alone, others, strict=True)]
    return [round(statistics.median(each), 3) for each in zip(*ratios, strict=True)]


def _import(pictures: Path, out: Path, num_workers: int, codec: Codec) -> None:
    request = ImportRequest(
        paths=[(None, pictures)],
        hints=Hints(),
        rules=LabelRules(),
        choices=Choices(fit=Fit()),
        codec=codec,
        shard_size=DEFAULT_SHARD_SIZE,
    )
    import_pictures(request, out, partial(process_workers, num_workers, *WORK), _quiet, lambda _: None)


def _quiet(_stage: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
