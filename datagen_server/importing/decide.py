"""From everything that was looked at to a data set: what is taken, in which split, in which order, at which size.

Every decision is a function of the set of pictures and labels, never of the order in which they came: not of file
systems, archives, workers or machines.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen_server.importing.entry_table import EntryTable
from datagen_server.importing.shares import DEFAULT_SHARE, TEST, TRAIN, VALID, Shares
from datagen_server.importing.sources.file_tree import printable
from datagen_server.importing.sources.reasons import Reason
from datagen_server.shards.record import content_of
from shared.dataset.fit import Fit
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import UsageError
from shared.images.fit import fit_picture

MIN_SIDE, MAX_SIDE = 16, 1024
_ROUNDED_TO = 4
_PROBES = ((37, 23), (200, 120), (61, 170))
_REASONS_SHOWN = 3

Samples = Mapping[str, NDArray[np.int64]]
"The entries that are taken, by split: sample 7 of a split is the entry at place 7."


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user decided about the set; everything else is decided from the pictures."""

    size: tuple[int, int] | None = None
    "Width and height; None: from the median of the pictures."
    fit: Fit
    alphabet: str | None = None
    "None: all characters that occur, by code point."
    valid_share: float | None = None
    test_share: float | None = None


@dataclass(frozen=True)
class Decided:
    """What came of it."""

    dataset: Dataset
    samples: Samples
    notes: tuple[str, ...]
    "What a person should know of how it was decided."


def decide(table: EntryTable, choices: Choices) -> Decided:
    """Says in `table` what is skipped and why; raises `UsageError` when no sample is left."""
    wanted, note = _settle_splits(table, choices)
    _skip_contradictions_and_duplicates(table)
    samples = _number_samples(table)
    if not samples:
        raise UsageError(f"no picture is left to import: {_why_none(table)}")
    notes = [note, *(f"split {name} has no picture left" for name in sorted(wanted - samples.keys()))]
    spec, note = _spec_of(table, samples, choices)
    dataset = Dataset(
        spec=spec,
        counts={split: len(entries) for split, entries in samples.items()},
        fingerprint=fingerprint_of(table, samples, spec),
    )
    return Decided(dataset, samples, (*notes, note))


def fingerprint_of(table: EntryTable, samples: Samples, spec: DatasetSpec) -> str:
    """64 hex digits that depend on the spec, on pixels and labels, and on how this machine resizes, if it does."""
    digest = hashlib.sha256(spec.canonical())
    size = spec.width, spec.height
    if spec.fit is not None and not all_have(table, samples, size):
        digest.update(resizing_of(spec.fit, size))
    for split, entries in samples.items():
        contents, labels = table.pictures["content"][entries].tobytes().hex(), table.labels
        lines = (
            f"\n{split} {contents[32 * number : 32 * number + 32]} {labels[entry]}"
            for number, entry in enumerate(entries.tolist())
        )
        digest.update("".join(lines).encode())
    return digest.hexdigest()


def resizing_of(fit: Fit, size: tuple[int, int]) -> bytes:
    """The digest of a few made-up pictures, brought to `size` here: another Pillow may give other pixels."""
    digest = hashlib.sha256()
    for width, height in _PROBES:
        numbers = np.arange(width * height * 3, dtype=np.uint32) * np.uint32(2_654_435_761)
        image = (numbers >> np.uint32(24)).astype(np.uint8).reshape(height, width, 3)
        digest.update(content_of(fit_picture(image, *size, fit)))
    return digest.digest()


def _settle_splits(table: EntryTable, choices: Choices) -> tuple[set[str], str]:
    """Gives every entry its split, from its source or by its pixels; returns all splits, and how it came about."""
    named = {split for split in table.splits if split is not None}
    asked = {VALID: choices.valid_share, TEST: choices.test_share}
    if not named:
        defaults = {name: DEFAULT_SHARE if share is None else share for name, share in asked.items()}
        _apply_shares(table, Shares(valid=defaults[VALID], test=defaults[TEST]), None)
        note = f"splits by the pixels of each picture: {defaults[TEST]:.0%} test, {defaults[VALID]:.0%} valid"
        return {TRAIN, *(name for name, share in defaults.items() if share)}, note
    for name in named & {name for name, share in asked.items() if share}:
        raise UsageError(f"--{name}-share makes a split {name}, and the sources have one already; leave it out")
    for entry in table.left():
        if table.splits[entry] is None:
            detail = "it belongs to no split, and others do; name it with --split NAME=SOURCE"
            table.skip(entry, Reason.NO_SPLIT, detail)
    if any(asked.values()):
        _apply_shares(table, Shares(valid=asked[VALID] or 0, test=asked[TEST] or 0), TRAIN)
    wanted = named | {name for name, share in asked.items() if share}
    return wanted, f"splits as the sources name them: {', '.join(sorted(named))}"


def _apply_shares(table: EntryTable, shares: Shares, split: str | None) -> None:
    """Divides the entries of `split` by their pixels."""
    contents = table.pictures["content"].tobytes()
    for entry in table.left():
        if table.splits[entry] == split:
            table.splits[entry] = shares.split_of(contents[16 * entry : 16 * entry + 16])


def _skip_contradictions_and_duplicates(table: EntryTable) -> None:
    """Of equal pictures with one label, the first by name is kept in each split; of those with several, none.

    One of several labels is wrong, and nobody can say which.
    """
    for group in _equal_pictures(table):
        if len({table.labels[entry] for entry in group}) > 1:
            for entry in group:
                table.skip(entry, Reason.CONTRADICTION, "an equal picture has another label")
            continue
        kept = set[str | None]()
        for entry in sorted(group, key=table.order_of):
            if table.splits[entry] in kept:
                table.skip(entry, Reason.DUPLICATE, "an equal picture is in the same split")
            kept.add(table.splits[entry])


def _equal_pictures(table: EntryTable) -> Iterator[list[int]]:
    """The entries of each picture that comes more than once."""
    left = np.fromiter(table.left(), np.int64)
    contents = table.pictures["content"][left]
    order = np.argsort(contents, kind="stable")
    is_first = np.ones(len(left) + 1, np.bool_)
    is_first[1:-1] = contents[order[1:]] != contents[order[:-1]]
    starts = np.flatnonzero(is_first)
    for number in np.flatnonzero(np.diff(starts) > 1):
        yield left[order[starts[number] : starts[number + 1]]].tolist()


def _number_samples(table: EntryTable) -> Samples:
    """In the order of their pixels' digests: like a shuffle, and the same everywhere."""
    by_split: dict[str, list[int]] = {}
    for entry in table.left():
        by_split.setdefault(str(table.splits[entry]), []).append(entry)
    samples = {}
    for split, entries in sorted(by_split.items()):
        numbers = np.array(entries)
        samples[split] = numbers[np.argsort(table.pictures["content"][numbers])]
    return samples


def _why_none(table: EntryTable) -> str:
    entries: dict[Reason, list[int]] = {}
    for entry, reason in enumerate(table.reasons):
        if reason is not None:
            entries.setdefault(reason, []).append(entry)
    most = sorted(entries.items(), key=lambda item: (-len(item[1]), item[0].value))[:_REASONS_SHOWN]
    return "; ".join(_described(table, *item) for item in most) or "the sources list none"


def _described(table: EntryTable, reason: Reason, entries: list[int]) -> str:
    first = min(entries, key=table.order_of)
    return f"{len(entries):,} {reason.text} ({printable(f'{table.names[first]}: {table.details[first]}')})"


def _spec_of(table: EntryTable, samples: Samples, choices: Choices) -> tuple[DatasetSpec, str]:
    labels = labels_of(table, samples)
    lengths = set(map(len, labels))
    (width, height), note = _size_of(table, samples, choices)
    spec = DatasetSpec(
        width=width,
        height=height,
        alphabet=choices.alphabet or "".join(sorted(set("".join(labels)))),
        min_length=min(lengths),
        max_length=max(lengths),
        styles=(),
        fit=choices.fit,
    )
    return spec, note


def _size_of(table: EntryTable, samples: Samples, choices: Choices) -> tuple[tuple[int, int], str]:
    """The size of the set, and how it came about."""
    if choices.size is not None:
        return choices.size, "size {}x{} as asked for".format(*choices.size)
    pictures = table.pictures[np.concatenate(list(samples.values()))]
    sides = [int(np.sort(pictures[side])[len(pictures) // 2]) for side in ("width", "height")]
    if all(MIN_SIDE <= side <= MAX_SIDE for side in sides) and all_have(table, samples, (sides[0], sides[1])):
        return (sides[0], sides[1]), "size {}x{}, which all pictures have".format(*sides)
    width, height = (min(MAX_SIDE, max(MIN_SIDE, round(side / _ROUNDED_TO) * _ROUNDED_TO)) for side in sides)
    return (width, height), "size {}x{} from the median {}x{}; --size chooses another".format(width, height, *sides)


def labels_of(table: EntryTable, samples: Samples) -> list[str]:
    """The labels of all pictures that are taken."""
    return [table.labels[entry] for entries in samples.values() for entry in entries.tolist()]


def all_have(table: EntryTable, samples: Samples, size: tuple[int, int]) -> bool:
    """Whether no picture that is taken has another size."""
    widths, heights = table.pictures["width"], table.pictures["height"]
    taken = samples.values()
    return all((widths[entries] == size[0]).all() and (heights[entries] == size[1]).all() for entries in taken)
