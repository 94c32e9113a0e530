"""Flipped bytes and cut files, in a set of shards that this renderer can heal and in one that it cannot.

Every sample that comes is the right one; every one that does not is refused by shard and index; `verify` names the
damage, and repair brings the file back to the last byte.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from datagen_server.shards.manifest import Manifest, Shard
from datagen_server.shards.record import layout_of
from datagen_server.shards.shard_file import ShardFile
from datagen_server.shards.verify import verify
from datagen_server.sources.shard_source import ShardSource
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import build, plan_of, with_foreign_fingerprint
from tests.support.outcomes import OpenOutcome
from tests.support.services import ServiceProcess

SPEC = DatasetSpec()
PLAN = plan_of(SPEC, {"train": 64}, shard_size=64)
SPLIT = "train"


@dataclass
class Victim:
    """A set of one shard, made to be damaged and restored."""

    directory: Path
    can_heal: bool
    figures: dict[str, int] = field(default_factory=lambda: {"damages": 0, "healed": 0, "refused": 0, "repaired": 0})

    def __post_init__(self) -> None:
        (build if self.can_heal else with_foreign_fingerprint)(self.directory, PLAN)
        self.path = self.directory / self.shard.file
        self.original = self.path.read_bytes()
        file = ShardFile(self.path, Manifest.read(self.directory).plan, self.shard)
        self.places = [file.place(index) for index in self.shard.indices]
        self.expected = self.read_all()

    @property
    def shard(self) -> Shard:
        return PLAN.shards[0]

    def read_all(self) -> list[bytes]:
        source = ShardSource(self.directory)
        payloads = [self.read(source, index) for index in self.shard.indices]
        source.close()
        assert None not in payloads
        return [payload for payload in payloads if payload is not None]

    def read(self, source: ShardSource, index: int) -> bytes | None:
        """None: refused by name."""
        future = source.read(SPLIT, np.array([index], np.uint64), Codec.RAW)
        if error := future.exception():
            assert isinstance(error, DataLoss)
            assert f"{self.shard.file}: the record of index {index} of {SPLIT} " in str(error)
            return None
        records = future.result()
        return b"".join(records.payloads) + records.labels.tobytes()

    def suffer(self, damage: Callable[[Path], None]) -> None:
        """Damages the file, reads everything, verifies, repairs; restores the file where it could not be repaired."""
        damage(self.path)
        source = ShardSource(self.directory)
        for index in self.shard.indices:
            sample = self.read(source, index)
            assert sample in (None, self.expected[index]), f"index {index}: wrong pixels"
        source.close()
        self.figures["damages"] += 1
        self.figures["healed"] += source.damage.healed.total()
        self.figures["refused"] += source.damage.refused.total()
        assert (source.damage.refused if self.can_heal else source.damage.healed).total() == 0
        self.mend()

    def mend(self) -> None:
        verified = verify(self.directory, repair=True)
        (finding,) = verified.findings
        assert finding.shard.file == self.shard.file
        assert finding.repaired is (self.can_heal or not finding.indices)
        if finding.repaired:
            self.figures["repaired"] += 1
            assert self.path.read_bytes() == self.original
        self.path.write_bytes(self.original)

    def told(self) -> str:
        """The figures for people."""
        renderer = "same" if self.can_heal else "foreign"
        return f"{renderer} renderer: {self.figures['healed']:,} healed, {self.figures['refused']:,} refused"

    def record_at(self, offset: int) -> int | None:
        """The index of the record that the byte at `offset` belongs to."""
        for index, (start, size) in enumerate(self.places):
            if start <= offset < start + layout_of(SPEC).header_bytes + size:
                return index
        return None


def flip(offset: int, mask: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with open(path, "r+b") as file:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ mask]))

    return damage


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> list[Victim]:
    root = tmp_path_factory.mktemp("victims")
    return [Victim(root / "own", can_heal=True), Victim(root / "foreign", can_heal=False)]


def flip_bytes(victims: list[Victim], num_flips: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(num_flips):
        offset, mask = chance.randrange(len(victims[0].original)), chance.randrange(1, 256)
        for victim in victims:
            victim.suffer(flip(offset, mask))


def test_flipped_bytes_are_healed_or_refused_named_and_repaired(victims: list[Victim]) -> None:
    flip_bytes(victims, 5, seed=1)


def test_cut_files_are_healed_or_refused_named_and_repaired(victims: list[Victim]) -> None:
    for victim in victims:
        for size in (0, 4096, len(victim.original) // 2 // 4096 * 4096, len(victim.original) - 4096):
            victim.suffer(cut(size))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_flipped_bytes(victims: list[Victim], outcome: OpenOutcome) -> None:
    with outcome(promise="5, 6", what="a flipped byte in a shard: named, healed or refused, repaired") as result:
        result.tries = 1000 * len(victims)
        flip_bytes(victims, 1000, seed=2)
        result.note = "; ".join(victim.told() for victim in victims)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_cut_at_every_page(victims: list[Victim], outcome: OpenOutcome) -> None:
    with outcome(promise="5, 6", what="a shard cut at every page: named, healed or refused, repaired") as result:
        for victim in victims:
            victim.figures = dict.fromkeys(victim.figures, 0)
            sizes = range(0, len(victim.original), 4096)
            result.tries += len(sizes)
            for size in sizes:
                victim.suffer(cut(size))
        result.note = "; ".join(victim.told() for victim in victims)


def test_verify_names_exactly_the_record_that_was_hit(victims: list[Victim]) -> None:
    victim, chance = victims[0], random.Random(5)
    for _ in range(10):
        offset = chance.randrange(len(victim.original))
        flip(offset, 1)(victim.path)
        (finding,) = verify(victim.directory).findings
        hit = victim.record_at(offset)
        if hit is not None:
            assert finding.indices == (hit,)
        victim.path.write_bytes(victim.original)


def test_a_service_outlives_whatever_happens_to_the_files_it_serves(tmp_path: Path) -> None:
    victim, chance = Victim(tmp_path / "shards", can_heal=True), random.Random(6)
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--shards", str(victim.directory)
    with ServiceProcess(*serve, "--stop-with-stdin") as service, connect(service.target) as client:
        for epoch in range(12):
            with client.stream(SPLIT, epoch=epoch, global_batch_size=16) as stream:
                for batch in stream:
                    for image, label, index in zip(batch.images, batch.labels, batch.indices.tolist(), strict=True):
                        assert image.tobytes() + label.tobytes() == victim.expected[index]
                    size = victim.path.stat().st_size
                    damage = cut(chance.randrange(size + 1)) if chance.random() < 0.5 or not size else None
                    (damage or flip(chance.randrange(size), 0xFF))(victim.path)
            victim.path.write_bytes(victim.original)
        assert service.process.poll() is None
