"""What an import did, for people and as `import-report.json`: nothing is left out silently."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen_server.importing.reasons import Reason
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.file_tree import printable
from datagen_server.importing.survey import SplitSource
from shared.dataset.spec import Dataset
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


def report_of(scratch: Scratch, sources: Sequence[SplitSource], dataset: Dataset, notes: Sequence[str]) -> ImportReport:
    """Counts what was decided."""
    by_reason = dict(
        scratch.execute(
            "SELECT reason, count(*) FROM entries WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
    )
    skipped = sum(by_reason.values())
    characters, lengths = _histograms(scratch)
    facts = {
        "taken": sum(dataset.counts.values()),
        "skipped": skipped,
        "reasons": by_reason,
        "duplicates": by_reason.get(Reason.DUPLICATE.value, 0),
        "duplicates_across_splits": _across_splits(scratch),
        "splits": dict(dataset.counts),
        "size": [dataset.spec.width, dataset.spec.height],
        "alphabet": dataset.spec.alphabet,
        "fingerprint": dataset.fingerprint,
        "fit": dataset.spec.fit.to_mapping() if dataset.spec.fit else None,
        "examples": {name: _examples(scratch, name) for name in by_reason},
        "characters": characters,
        "lengths": lengths,
        "sizes": _sizes(scratch),
        "notes": list(notes),
        "sources": [_described(one) for one in sources],
    }
    return ImportReport(facts, sum(count for name, count in by_reason.items() if Reason(name).is_fault))


def _described(one: SplitSource) -> dict[str, Any]:
    source = one.source
    return {
        "origin": printable(source.origin),
        "kind": source.kind,
        "split": one.split,
        "notes": list(source.notes),
    }


def _examples(scratch: Scratch, reason: str) -> list[dict[str, str]]:
    rows = scratch.execute(
        "SELECT name, detail FROM entries WHERE reason = ? ORDER BY name, source, id LIMIT ?", (reason, _LISTED)
    )
    return [{"file": printable(name), "detail": printable(detail)} for name, detail in rows]


def _across_splits(scratch: Scratch) -> int:
    statement = """SELECT count(*) FROM (SELECT content FROM samples JOIN entries ON entry = id
                   GROUP BY content HAVING count(DISTINCT samples.split) > 1)"""
    return int(scratch.execute(statement).fetchone()[0])


def _histograms(scratch: Scratch) -> tuple[dict[str, int], dict[str, int]]:
    """How often each character, and each length, occurs in the labels that were taken."""
    characters, lengths = Counter[str](), Counter[int]()
    for label, count in scratch.execute(
        "SELECT label, count(*) FROM samples JOIN entries ON entry = id GROUP BY label"
    ):
        lengths[len(label)] += count
        for character in label:
            characters[character] += count
    return dict(sorted(characters.items())), {str(length): count for length, count in sorted(lengths.items())}


def _sizes(scratch: Scratch) -> dict[str, int]:
    """The most frequent sizes of pictures that were taken."""
    rows = scratch.execute(
        """SELECT width, height, count(*) FROM samples JOIN entries ON entry = id JOIN pictures USING (file)
           GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?""",
        (_SIZES,),
    )
    return {f"{width}x{height}": count for width, height, count in rows}
