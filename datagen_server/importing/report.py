"""What an import did, for people and as `import-report.json`: nothing is left out silently."""

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen_server.importing.decide import Decided, Samples, labels_of
from datagen_server.importing.entry_table import EntryTable
from datagen_server.importing.sources.file_tree import printable
from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.survey import SplitSource
from shared.system.atomic_file import write_atomic, write_error

REPORT_NAME = "import-report.json"
_SHOWN, _LISTED = 3, 20
_SIZES = 20


@dataclass(frozen=True)
class ImportReport:
    """Ready to be printed."""

    facts: Mapping[str, Any]
    "As in the file; JSON."
    num_faults: int
    "Skipped pictures with something wrong about them; duplicates are none."

    def write(self, directory: Path) -> None:
        """Writes `import-report.json`."""
        text = json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n"
        try:
            write_atomic(directory / REPORT_NAME, text)
        except OSError as error:
            raise write_error(directory / REPORT_NAME, error) from error

    def lines(self) -> Iterator[str]:
        """A table for people."""
        facts = self.facts
        for source in facts["sources"]:
            yield f"{source['origin']} ({source['kind']})"
            yield from (f"  {note}" for note in source["notes"])
        yield from facts["notes"]
        splits = ", ".join(f"{name} {count:,}" for name, count in facts["splits"].items())
        yield f"taken {facts['taken']:,} ({splits}), skipped {facts['skipped']:,}"
        for name, count in facts["reasons"].items():
            yield f"  {count:>9,}  {Reason(name).text}"
            yield from (f"             {one['file']}: {one['detail']}" for one in facts["examples"][name][:_SHOWN])
        if across := facts["duplicates_across_splits"]:
            yield f"{across:,} pictures are in more than one split: scores on them mean little"
        yield f"alphabet of {len(facts['alphabet'])}: {facts['alphabet'][:100]}"
        yield f"fingerprint {facts['fingerprint']}"


def report_of(table: EntryTable, sources: Sequence[SplitSource], decided: Decided) -> ImportReport:
    """Counts what was decided."""
    skipped: dict[Reason, list[int]] = {}
    for entry, reason in enumerate(table.reasons):
        if reason is not None:
            skipped.setdefault(reason, []).append(entry)
    by_reason = dict(sorted(skipped.items(), key=lambda item: (-len(item[1]), item[0].value)))
    characters, lengths = _histograms(table, decided.samples)
    dataset = decided.dataset
    facts = {
        "taken": sum(dataset.counts.values()),
        "skipped": sum(len(entries) for entries in skipped.values()),
        "reasons": {reason.value: len(entries) for reason, entries in by_reason.items()},
        "duplicates": len(skipped.get(Reason.DUPLICATE, ())),
        "duplicates_across_splits": _across_splits(table, decided.samples),
        "splits": dict(dataset.counts),
        "size": [dataset.spec.width, dataset.spec.height],
        "alphabet": dataset.spec.alphabet,
        "fingerprint": dataset.fingerprint,
        "fit": dataset.spec.fit.to_mapping() if dataset.spec.fit else None,
        "examples": {reason.value: _examples(table, entries) for reason, entries in by_reason.items()},
        "characters": characters,
        "lengths": lengths,
        "sizes": _sizes(table, decided.samples),
        "notes": list(decided.notes),
        "sources": [_described(one) for one in sources],
    }
    return ImportReport(facts, sum(len(entries) for reason, entries in skipped.items() if reason.is_fault))


def _described(one: SplitSource) -> dict[str, Any]:
    source = one.source
    return {
        "origin": printable(source.origin),
        "kind": source.kind,
        "split": one.split,
        "notes": list(source.notes),
    }


def _examples(table: EntryTable, entries: Sequence[int]) -> list[dict[str, str]]:
    first = heapq.nsmallest(_LISTED, entries, key=table.order_of)
    return [{"file": printable(table.names[one]), "detail": printable(table.details[one])} for one in first]


def _across_splits(table: EntryTable, samples: Samples) -> int:
    contents = np.concatenate([table.pictures["content"][entries] for entries in samples.values()])
    _, counts = np.unique(contents, return_counts=True)
    return int((counts > 1).sum())


def _histograms(table: EntryTable, samples: Samples) -> tuple[dict[str, int], dict[str, int]]:
    """How often each character, and each length, occurs in the labels that were taken."""
    labels = labels_of(table, samples)
    characters, lengths = Counter("".join(labels)), Counter(map(len, labels))
    return dict(sorted(characters.items())), {str(length): count for length, count in sorted(lengths.items())}


def _sizes(table: EntryTable, samples: Samples) -> dict[str, int]:
    """The most frequent sizes of pictures that were taken."""
    pictures = table.pictures[np.concatenate(list(samples.values()))]
    sizes = Counter(zip(pictures["width"].tolist(), pictures["height"].tolist(), strict=True))
    most = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_SIZES]
    return {f"{width}x{height}": count for (width, height), count in most}
