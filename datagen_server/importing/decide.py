"""From everything that was looked at to a data set: what is taken, in which split, in which order, at which size.

Every decision is a function of the set of pictures and labels, never of the order in which they came: not of file
systems, archives, workers or machines.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datagen_server.importing.picture_chunk import content_of
from datagen_server.importing.reasons import Reason
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.shares import DEFAULT_SHARE, TEST, TRAIN, VALID, Shares
from datagen_server.importing.sources.file_tree import printable
from shared.dataset.fit import Fit
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import UsageError
from shared.images.fit import fit_picture

MIN_SIDE, MAX_SIDE = 16, 1024
_ROUNDED_TO = 4
_PROBES = ((37, 23), (200, 120), (61, 170))
_OF_PICTURES = "FROM samples JOIN entries ON entry = id JOIN pictures USING (file)"


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
    notes: tuple[str, ...]
    "What a person should know of how it was decided."


def decide(scratch: Scratch, choices: Choices) -> Decided:
    """Fills `samples` and the reasons in `entries`; raises `UsageError` when no sample is left."""
    _look_up_pictures(scratch)
    notes = _settle_splits(scratch, choices)
    _skip_contradictions(scratch)
    _skip_duplicates(scratch)
    _number_samples(scratch)
    counts = dict(scratch.execute("SELECT split, count(*) FROM samples GROUP BY split").fetchall())
    if not counts:
        raise UsageError(f"no picture is left to import: {_why_none(scratch)}")
    notes += [f"split {name} has no picture left" for name in _vanished(scratch, counts)]
    spec, note = _spec_of(scratch, choices)
    fingerprint = fingerprint_of(scratch, spec)
    scratch.commit()
    return Decided(Dataset(spec=spec, counts=counts, fingerprint=fingerprint), (*notes, note))


def fingerprint_of(scratch: Scratch, spec: DatasetSpec) -> str:
    """64 hex digits that depend on the spec, on pixels and labels, and on how this machine resizes, if it does."""
    digest = hashlib.sha256(spec.canonical())
    size = spec.width, spec.height
    others = f"SELECT count(*) {_OF_PICTURES} WHERE width <> ? OR height <> ?"
    if spec.fit is not None and scratch.execute(others, size).fetchone()[0]:
        digest.update(resizing_of(spec.fit, size))
    rows = scratch.execute(
        "SELECT s.split, content, label FROM samples s JOIN entries ON entry = id ORDER BY 1, number"
    )
    for split, content, label in rows:
        digest.update(f"\n{split} {content.hex()} {label}".encode())
    return digest.hexdigest()


def resizing_of(fit: Fit, size: tuple[int, int]) -> bytes:
    """The digest of a few made-up pictures, brought to `size` here: another Pillow may give other pixels."""
    digest = hashlib.sha256()
    for width, height in _PROBES:
        numbers = np.arange(width * height * 3, dtype=np.uint32) * np.uint32(2_654_435_761)
        image = (numbers >> np.uint32(24)).astype(np.uint8).reshape(height, width, 3)
        digest.update(content_of(fit_picture(image, *size, fit)))
    return digest.digest()


def _look_up_pictures(scratch: Scratch) -> None:
    scratch.execute(
        """UPDATE entries SET content = p.content, reason = nullif(p.problem, ''), detail = p.detail
           FROM pictures p WHERE entries.file = p.file AND entries.reason IS NULL"""
    )
    scratch.execute("CREATE INDEX IF NOT EXISTS by_content ON entries (content)")


def _settle_splits(scratch: Scratch, choices: Choices) -> list[str]:
    """Gives every entry its split, from its source or by its pixels."""
    named = {name for (name,) in scratch.execute("SELECT DISTINCT split FROM entries WHERE split IS NOT NULL")}
    asked = {VALID: choices.valid_share, TEST: choices.test_share}
    if not named:
        defaults = {name: DEFAULT_SHARE if share is None else share for name, share in asked.items()}
        _apply_shares(scratch, Shares(valid=defaults[VALID], test=defaults[TEST]), "split IS NULL")
        return [f"splits by the pixels of each picture: {defaults[TEST]:.0%} test, {defaults[VALID]:.0%} valid"]
    for name in named & {name for name, share in asked.items() if share}:
        raise UsageError(f"--{name}-share makes a split {name}, and the sources have one already; leave it out")
    scratch.execute(
        "UPDATE entries SET reason = ?, detail = ? WHERE split IS NULL AND reason IS NULL",
        (Reason.NO_SPLIT.value, "it belongs to no split, and others do; name it with --split NAME=SOURCE"),
    )
    if any(asked.values()):
        shares = Shares(valid=asked[VALID] or 0, test=asked[TEST] or 0)
        _apply_shares(scratch, shares, f"split = '{TRAIN}'")
    return [f"splits as the sources name them: {', '.join(sorted(named))}"]


def _apply_shares(scratch: Scratch, shares: Shares, where: str) -> None:
    scratch.database.create_function("share", 1, shares.split_of, deterministic=True)
    scratch.execute(f"UPDATE entries SET split = share(content) WHERE reason IS NULL AND {where}")  # noqa: S608


def _skip_contradictions(scratch: Scratch) -> None:
    """Equal pictures with different labels: one of them is wrong, and nobody can say which."""
    scratch.execute(
        """UPDATE entries SET reason = ?, detail = 'an equal picture has another label'
           WHERE reason IS NULL AND content IN (
               SELECT content FROM entries WHERE reason IS NULL GROUP BY content HAVING count(DISTINCT label) > 1)""",
        (Reason.CONTRADICTION.value,),
    )


def _skip_duplicates(scratch: Scratch) -> None:
    """Of equal pictures with one label in one split the first by name is kept."""
    scratch.execute(
        """UPDATE entries SET reason = ?, detail = 'an equal picture is in the same split' WHERE id IN (
           SELECT id FROM (
               SELECT id, row_number() OVER (PARTITION BY content, split ORDER BY name, source, id) AS place
               FROM entries WHERE reason IS NULL) WHERE place > 1)""",
        (Reason.DUPLICATE.value,),
    )


def _number_samples(scratch: Scratch) -> None:
    """In the order of their pixels' digests: like a shuffle, and the same everywhere."""
    scratch.execute(
        """INSERT INTO samples SELECT split, row_number() OVER (PARTITION BY split ORDER BY content) - 1, id
           FROM entries WHERE reason IS NULL"""
    )


def _why_none(scratch: Scratch) -> str:
    rows = scratch.execute("SELECT reason, count(*), min(name) FROM entries GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3")
    reasons = [f"{count:,} {Reason(reason).text} ({printable(name)})" for reason, count, name in rows]
    return ", ".join(reasons) or "the sources list none"


def _vanished(scratch: Scratch, counts: dict[str, int]) -> Iterator[str]:
    for (name,) in scratch.execute("SELECT DISTINCT split FROM entries WHERE split IS NOT NULL ORDER BY 1"):
        if name not in counts:
            yield name


def _spec_of(scratch: Scratch, choices: Choices) -> tuple[DatasetSpec, str]:
    labels = scratch.execute("SELECT DISTINCT label FROM samples JOIN entries ON entry = id")
    occurring, lengths = set[str](), set[int]()
    for (label,) in labels:
        occurring.update(label)
        lengths.add(len(label))
    (width, height), note = _size_of(scratch, choices)
    spec = DatasetSpec(
        width=width,
        height=height,
        alphabet=choices.alphabet or "".join(sorted(occurring)),
        min_length=min(lengths),
        max_length=max(lengths),
        styles=(),
        fit=choices.fit,
    )
    return spec, note


def _size_of(scratch: Scratch, choices: Choices) -> tuple[tuple[int, int], str]:
    """The size of the set, and how it came about."""
    if choices.size is not None:
        return choices.size, "size {}x{} as asked for".format(*choices.size)
    (count,) = scratch.execute("SELECT count(*) FROM samples").fetchone()
    sides = []
    for side in ("width", "height"):
        ordered = f"SELECT {side} {_OF_PICTURES} ORDER BY {side} LIMIT 1 OFFSET ?"
        sides.append(scratch.execute(ordered, (count // 2,)).fetchone()[0])
    others = f"SELECT count(*) {_OF_PICTURES} WHERE width <> ? OR height <> ?"
    is_only_size = not scratch.execute(others, tuple(sides)).fetchone()[0]
    if is_only_size and all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
        return (sides[0], sides[1]), "size {}x{}, which all pictures have".format(*sides)
    width, height = (min(MAX_SIDE, max(MIN_SIDE, round(side / _ROUNDED_TO) * _ROUNDED_TO)) for side in sides)
    return (width, height), "size {}x{} from the median {}x{}; --size chooses another".format(width, height, *sides)
