"""What a directory of shards holds: the plan that every shard follows, and the manifest that says they are all there.

    SHARDS/manifest.json             written last, in one step: its presence means "complete"
    SHARDS/train-00000-of-00007.lmdb one contiguous index range of one split

Note: the plan (spec, counts, fingerprint, codec, shard size) is also inside every shard, under the key
`PLAN_KEY`, so shards made on several hosts need nothing but copying into one directory; `verify` writes the manifest.
"""

import errno
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from datagen_server.shards import DEFAULT_CODEC, DEFAULT_SHARD_SIZE
from shared.dataset.canonical_json import canonical_json
from shared.dataset.spec import Dataset, DatasetSpec
from shared.dataset.spec_difference import spec_differences
from shared.errors import DataLoss, UsageError
from shared.protocol.codec import Codec
from shared.system.atomic_file import write_atomic, write_error
from shared.system.open_files import check_handles

MANIFEST_NAME = "manifest.json"
SHARD_SUFFIX = ".lmdb"
MAX_SHARD_SIZE = 2**17
MAX_SHARDS = 99_999
"Of one split: five digits in a file's name."
PLAN_KEY = b"manifest"
_FORMAT = 1


def is_shard_name(name: str) -> bool:
    """Whether a file with this name is a shard of some set."""
    return name.endswith(SHARD_SUFFIX)


@dataclass(frozen=True)
class Shard:
    """A contiguous index range of one split, and the name of its file."""

    file: str
    split: str
    first: int
    count: int

    @property
    def indices(self) -> range:
        """Within the split."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True)
class StoredShard:
    """A finished file. `digest` is the sum of its samples' digests."""

    shard: Shard
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be stored and how it is cut: equal plans make equal shards. Checks itself; raises `UsageError`."""

    dataset: Dataset
    codec: Codec = DEFAULT_CODEC
    shard_size: int = DEFAULT_SHARD_SIZE
    "Samples in each shard but a split's last, 1..2^17."

    def __post_init__(self) -> None:
        if not 1 <= self.shard_size <= MAX_SHARD_SIZE:
            raise UsageError(f"shard size must be in 1..{MAX_SHARD_SIZE}, got {self.shard_size}")
        for split, num in self.num_shards.items():
            if num > MAX_SHARDS:
                problem = f"split {split} would be {num} shards of {self.shard_size} samples"
                raise UsageError(f"{problem}, at most {MAX_SHARDS} are possible; give a larger --shard-size")

    @property
    def num_shards(self) -> Mapping[str, int]:
        """How many each split is cut into."""
        return {split: -(-count // self.shard_size) for split, count in self.dataset.counts.items()}

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """All shards, by split name and first index."""
        return tuple(shard for split in self.dataset.counts for shard in self._shards_of(split))

    def _shards_of(self, split: str) -> list[Shard]:
        count = self.dataset.counts[split]
        firsts = range(0, count, self.shard_size)
        names = (f"{split}-{number:05d}-of-{len(firsts):05d}{SHARD_SUFFIX}" for number in range(len(firsts)))
        return [
            Shard(name, split, first, min(self.shard_size, count - first))
            for name, first in zip(names, firsts, strict=True)
        ]

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes, ready for JSON."""
        return {
            "format": _FORMAT,
            "spec": self.dataset.spec.to_mapping(),
            "counts": dict(self.dataset.counts),
            "fingerprint": self.dataset.fingerprint,
            "codec": self.codec.value,
            "shard_size": self.shard_size,
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Raises `UsageError` for a plan of another format; further keys are ignored."""
        try:
            if values["format"] != _FORMAT:
                raise UsageError(f"the shards have format {values['format']!r}, this version reads {_FORMAT}")
            spec = DatasetSpec.from_mapping(values["spec"])
            dataset = Dataset(spec=spec, counts=values["counts"], fingerprint=values["fingerprint"])
            return cls(dataset=dataset, codec=Codec(values["codec"]), shard_size=values["shard_size"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"not the plan of a set of shards: {error!r}") from error

    def difference(self, other: "Plan") -> str:
        """The first field in which `other` differs, as 'name theirs, not ours'; empty when they are equal."""
        for name, their_value, our_value in spec_differences(other.dataset.spec, self.dataset.spec):
            return f"{name} {their_value}, not {our_value}"
        ours, theirs = self.to_mapping(), other.to_mapping()
        for name, our_value in ours.items():
            if our_value != theirs[name]:
                return f"{name} {_text(theirs[name])}, not {_text(our_value)}"
        return ""


@dataclass(frozen=True)
class Manifest:
    """A complete set of shards."""

    plan: Plan
    shards: tuple[StoredShard, ...]
    "In the order of the plan."
    digest: str
    "32 hex digits: the sum of the samples' digests. Equal for equal samples, however they are cut and encoded."

    def of_split(self, split: str) -> tuple[StoredShard, ...]:
        """By first index: sample `index` is in number `index // plan.shard_size`."""
        return tuple(stored for stored in self.shards if stored.shard.split == split)

    def write(self, directory: Path) -> None:
        """Writes `manifest.json` in one step: it is there as a whole or not at all, even after a power cut."""
        shards = [_to_mapping(stored) for stored in self.shards]
        body = {**self.plan.to_mapping(), "digest": self.digest, "shards": shards}
        text = json.dumps({**body, "checksum": _checksum(body)}, indent=1)
        path = directory / MANIFEST_NAME
        try:
            write_atomic(path, text)
        except OSError as error:
            raise write_error(path, error) from error

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises `UsageError` when `directory` holds no complete set, `DataLoss` when its manifest is damaged."""
        path = directory / MANIFEST_NAME
        try:
            body = json.loads(path.read_bytes())
            intact = body.pop("checksum") == _checksum(body)
        except OSError as error:
            check_handles(error)
            raise UsageError(_no_manifest(directory, error)) from error
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise _damaged(path) from error
        if not intact:
            raise _damaged(path)
        plan, listed = Plan.from_mapping(body), body.get("shards")
        if not isinstance(listed, list) or len(listed) != sum(plan.num_shards.values()):
            raise _damaged(path)
        try:
            stored = [
                StoredShard(shard, int(facts["size_bytes"]), str(facts["sha256"]))
                for shard, facts in zip(plan.shards, listed, strict=True)
            ]
            return cls(plan, tuple(stored), str(body["digest"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path) from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _to_mapping(stored: StoredShard) -> dict[str, Any]:
    return {**asdict(stored.shard), "size_bytes": stored.size_bytes, "sha256": stored.sha256}


def _checksum(body: Mapping[str, Any]) -> str:
    """Protects the manifest: one changed digit in it would make a whole shard look damaged."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> DataLoss:
    return DataLoss(f"{path} is damaged; `python -m datagen_server verify --repair {path.parent}` rebuilds it")


def _no_manifest(directory: Path, error: OSError) -> str:
    if not directory.is_dir() or error.errno == errno.EACCES:
        return f"{directory} is not a directory of shards that can be read: {error.strerror}"
    problem = f"{directory} holds no complete set of shards ({MANIFEST_NAME}: {error.strerror})"
    return f"{problem}; run materialize there until it is done, or verify where several hosts made parts"
