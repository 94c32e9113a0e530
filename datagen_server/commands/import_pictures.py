"""`import`: people's own pictures made into shards."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from datagen_server.commands.open_workers import open_workers
from datagen_server.importing.decide import Choices
from datagen_server.importing.import_pictures import WORK, ImportRequest, import_pictures
from datagen_server.importing.labels import LabelRules, read_mapping
from datagen_server.importing.report import ImportReport
from datagen_server.importing.sources.detection import Hints
from datagen_server.importing.sources.split_names import parse_split
from shared.dataset.alphabet import check_alphabet, named_alphabet
from shared.dataset.fit import Fit
from shared.errors import UsageError
from shared.images.decode import colour_of
from shared.protocol.codec import Codec
from shared.system.progress import progress


def run(options: argparse.Namespace) -> int:
    """Writes shards; prints what was taken, and what was not for which reason."""
    request = ImportRequest(
        paths=list(_paths(options)),
        hints=Hints(kind=options.kind, label_pattern=options.label_pattern, encoding=options.encoding),
        rules=_rules(options),
        choices=_choices(options),
        codec=Codec(options.codec),
        shard_size=options.shard_size,
        strict=options.strict,
    )
    workers = open_workers(options, *WORK)
    tell = _print_as_json if options.json else _print
    report = import_pictures(request, options.out, lambda: workers, _open_stage, tell)
    if not options.json:
        print(f"{options.out}: {report.facts['taken']:,} samples; serve them with --shards {options.out}")
    return 0


def _paths(options: argparse.Namespace) -> Iterator[tuple[str | None, Path]]:
    if not options.sources and not options.splits:
        raise UsageError("import needs a SOURCE, or --split NAME=SOURCE; see import --help")
    for path in options.sources:
        yield None, path
    for text in options.splits:
        name, path = parse_split(text)
        yield name, Path(path)


def _rules(options: argparse.Namespace) -> LabelRules:
    mapping = read_mapping(options.mapping, options.encoding) if options.mapping else {}
    return LabelRules(strip=options.strip, case=options.case, mapping=mapping)


def _choices(options: argparse.Namespace) -> Choices:
    alphabet = None if options.alphabet is None else named_alphabet(options.alphabet)
    if alphabet is not None:
        check_alphabet(alphabet, space_allowed=True)
    return Choices(
        size=options.size,
        fit=Fit(mode=options.fit, ground=colour_of(options.ground), resampling=options.resampling),
        alphabet=alphabet,
        valid_share=options.valid_share,
        test_share=options.test_share,
    )


def _open_stage(stage: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return progress(f"import, {stage}", total, "pictures")


def _print(report: ImportReport) -> None:
    for line in report.lines():
        print(line)


def _print_as_json(report: ImportReport) -> None:
    print(json.dumps(report.facts))
