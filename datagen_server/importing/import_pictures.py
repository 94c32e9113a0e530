"""People's own pictures made into shards: listed, looked at, decided about, written.

    list all entries -> decode and digest every picture -> decide -> report -> records, shards, manifest

Whatever ends it, running it again with the same sources goes on, and the result is the same to the last byte.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datagen_server.importing.decide import Choices, decide
from datagen_server.importing.fill_shard import fill_shard
from datagen_server.importing.labels import LabelRules
from datagen_server.importing.origins import ORIGINS_NAME, write_origins
from datagen_server.importing.picture_chunk import examine_chunk, write_chunk
from datagen_server.importing.report import REPORT_NAME, ImportReport, report_of
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.survey import SplitSource, list_entries, look_at_pictures
from datagen_server.importing.write_samples import Stock, open_records, write_stored
from datagen_server.shards.manifest import Plan, Shard, is_shard_name
from datagen_server.shards.materialize import Found, WriteShards, write_records, write_shards
from datagen_server.workers.executors import Workers
from shared.errors import StreamingError, UsageError
from shared.protocol.codec import Codec
from shared.system.atomic_file import remove_partial_files
from shared.system.directory_lock import lock_directory, make_directory

OpenStage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"Told what begins and how much there is to do, gives a function to call with how much was done."
WORK = examine_chunk, fill_shard, write_chunk
"What workers are asked for."


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What is to be imported, and how."""

    paths: Sequence[tuple[str | None, Path]]
    "Sources, with the split that the user said each is."
    hints: Hints
    rules: LabelRules
    choices: Choices
    codec: Codec
    shard_size: int
    strict: bool = False
    "Write no shards if a picture has to be skipped for a fault."


def import_pictures(
    request: ImportRequest,
    directory: Path,
    open_workers: Callable[[], AbstractContextManager[Workers]],
    open_stage: OpenStage,
    tell: Callable[[ImportReport], None],
) -> ImportReport:
    """Writes shards and `import-report.json` into `directory`.

    tell: called with the report before the shards are written. Raises `UsageError` for sources that cannot be used,
    `StreamingError` with `strict` when something was skipped.
    """
    make_directory(directory)
    with lock_directory(directory):
        with ExitStack() as stack:
            stack.callback(remove_partial_files, directory, is_shard_name)  # Of workers, once these have ended.
            workers = stack.enter_context(open_workers())  # They start while the sources are listed.
            scratch = stack.enter_context(_open_scratch(directory, request))
            sources, alphabet = stack.enter_context(_opened(request, scratch))
            parts = _Parts(scratch, sources, workers, alphabet)
            report = _import(request, directory, parts, open_stage, tell)
        scratch.remove()
    return report


@dataclass(frozen=True)
class _Parts:
    """What is open during an import."""

    scratch: Scratch
    sources: Sequence[SplitSource]
    workers: Workers
    alphabet: str | None
    "Which characters are allowed; None: all that occur."


def _import(
    request: ImportRequest,
    directory: Path,
    parts: _Parts,
    open_stage: OpenStage,
    tell: Callable[[ImportReport], None],
) -> ImportReport:
    scratch, sources = parts.scratch, parts.sources
    choices = replace(request.choices, alphabet=parts.alphabet)
    table = list_entries(sources, replace(request.rules, alphabet=parts.alphabet))
    with open_stage("look at", sum(1 for _ in table.left())) as advance:
        look_at_pictures(table, scratch, sources, parts.workers, choices.fit.ground, request.codec, advance)
    decided = decide(table, choices)
    report = report_of(table, sources, decided)
    tell(report)
    if request.strict and report.num_faults:
        raise StreamingError(f"{report.num_faults:,} pictures are faulty, and --strict allows none; nothing is written")
    plan = Plan(dataset=decided.dataset, codec=request.codec, shard_size=request.shard_size)
    stock = Stock(table, scratch, sources, decided.samples)
    write: WriteShards = partial(write_records, directory, plan, partial(open_records, stock, plan, parts.workers))
    if parts.workers.are_here and stock.is_stored_as_kept(plan.dataset.spec):
        write = partial(write_stored, directory, plan, stock, parts.workers)

    def describe() -> None:
        write_origins(table, directory, decided, [one.source.kind for one in sources])
        report.write(directory)

    beside = REPORT_NAME, ORIGINS_NAME
    write = partial(_write_and_describe, write, describe)
    done = write_shards(directory, plan, plan.shards, write, partial(open_stage, "write"), beside=beside)
    if not done.num_made:
        describe()
    return report


def _write_and_describe(
    write: WriteShards, describe: Callable[[], None], todo: Sequence[Shard], advance: Callable[[int], None]
) -> Found:
    """Describes the set while workers fill its shards: a set that looks complete has its description."""
    with ThreadPoolExecutor(1, "describe") as beside:
        described = beside.submit(describe)
        found = write(todo, advance)
        described.result()
    return found


@contextmanager
def _open_scratch(directory: Path, request: ImportRequest) -> Iterator[Scratch]:
    scratch = Scratch(directory, [request.codec.value, list(request.choices.fit.ground)])
    try:
        yield scratch
    finally:
        scratch.close()


@contextmanager
def _opened(request: ImportRequest, scratch: Scratch) -> Iterator[tuple[Sequence[SplitSource], str | None]]:
    """All sources, and the alphabet: the user's, or that which lies beside the pictures."""
    sources: list[SplitSource] = []
    alphabets = set[str]()
    with ExitStack() as stack:
        for split, path in request.paths:
            for opened in open_sources(path, request.hints, scratch.folder):
                stack.callback(opened.source.close)
                sources.append(SplitSource(opened.source, split))
                if opened.alphabet is not None:
                    alphabets.add(opened.alphabet)
        if request.choices.alphabet is None and len(alphabets) > 1:
            raise UsageError(f"the sources have {len(alphabets)} different dict.txt; give --alphabet")
        yield sources, request.choices.alphabet or next(iter(alphabets), None)
