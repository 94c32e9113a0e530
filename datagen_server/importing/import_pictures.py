"""People's own pictures made into shards: listed, looked at, decided about, written.

    list all entries -> decode and digest every picture -> decide -> report -> records, shards, manifest

Whatever ends it, running it again with the same sources goes on, and the result is the same to the last byte.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datagen_server.importing.decide import Choices, decide
from datagen_server.importing.labels import LabelRules
from datagen_server.importing.origins import ORIGINS_NAME, write_origins
from datagen_server.importing.report import REPORT_NAME, ImportReport, report_of
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.survey import SplitSource, list_entries, look_at_pictures
from datagen_server.importing.write_samples import write_samples
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import complete
from datagen_server.workers.executors import Workers
from shared.errors import StreamingError, UsageError
from shared.protocol.codec import Codec
from shared.system.files import exclusive, make_directory

OpenStage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"Told what begins and how much there is to do, gives a function to call with how much was done."


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
    with exclusive(directory), _open_scratch(directory, request) as scratch, open_workers() as workers:
        with _opened(request, scratch) as (sources, rules, choices):
            count = list_entries(scratch, sources, rules)
            with open_stage("look at", count) as advance:
                look_at_pictures(scratch, sources, workers, choices.fit.ground, request.codec, advance)
            decided = decide(scratch, choices)
            report = report_of(scratch, sources, decided.dataset, decided.notes)
            tell(report)
            if request.strict and report.num_faults:
                raise StreamingError(f"{report.num_faults:,} pictures are faulty, and --strict allows none")
            plan = Plan(dataset=decided.dataset, codec=request.codec, shard_size=request.shard_size)
            write_origins(scratch, directory, plan.dataset, [one.source.kind for one in sources])
            report.write(directory)
            make = partial(write_samples, scratch, sources, plan, workers)
            complete(directory, plan, plan.shards, make, partial(open_stage, "write"), beside=(REPORT_NAME, ORIGINS_NAME))
    scratch.remove()
    return report


@contextmanager
def _open_scratch(directory: Path, request: ImportRequest) -> Iterator[Scratch]:
    scratch = Scratch(directory, [request.codec.value, list(request.choices.fit.ground)])
    try:
        yield scratch
    finally:
        scratch.close()
