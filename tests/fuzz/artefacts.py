"""Real artefacts, small ones, as the fuzzers' first inputs."""

import hashlib
import io
import json
import shutil
import string
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from datagen_server.exporting.export import export
from datagen_server.exporting.layouts import DATA_NAME
from datagen_server.shards.manifest import Manifest
from datagen_server.shards.shard_writer import key_of
from datagen_server.sources.shard_source import ShardSource
from shared.recogniser.checkpoint_info import CheckpointInfo
from tests.datagen_server.shards.building import TINY, build, plan_of
from tests.trainer.distributed.tables.rank_tables import super_pod_table, table
from trainer.audit.receipt_files import ReceiptHeader, ReceiptWriter
from trainer.config import dump_config, load_config


def shards(directory: Path) -> Manifest:
    """Eight samples with records in shared pages."""
    return build(directory, plan_of(TINY, {"train": 8}, shard_size=8))


def lmdb_files(directory: Path) -> list[Path]:
    """A shard, and a file whose keys lie below a branch page."""
    directory.mkdir()
    path = directory / "branches.lmdb"
    environment = lmdb.open(str(path), map_size=1 << 20, subdir=False, lock=False, lib_version=0)
    with environment.begin(write=True) as transaction:
        transaction.cursor().putmulti([(key_of(number), b"value") for number in range(400)], append=True)
    environment.close()
    stored = shards(directory / "shards").shards[0]
    return [path, directory / "shards" / stored.shard.file]


def rank_tables() -> list[bytes]:
    """Versions 1.0 and 1.2."""
    return [json.dumps(values).encode() for values in (table(2), table(1, 2), super_pod_table())]


def checkpoint_info(path: Path) -> CheckpointInfo:
    """The JSON beside a checkpoint; the file at `path` need not hold one."""
    return CheckpointInfo(
        epoch=1,
        step=1,
        global_step=1,
        elapsed_s=1.5,
        ranks=1,
        global_batch_size=64,
        fingerprint="f" * 64,
        split_count=50_000,
        dataset={"seed": 0, "width": 160, "height": 64, "alphabet": string.digits, "min_length": 1, "max_length": 4},
        network={"height": 64, "width": 160, "num_classes": 11},
        config_digest="c" * 64,
        weights_digest="w" * 64,
        file_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def ocr_lmdb(directory: Path) -> Path:
    """The data file of an exported split of eight samples."""
    shards(directory / "shards")
    source = ShardSource(directory / "shards")
    export(source, directory / "ocr", "ocr-lmdb", [])
    source.close()
    return directory / "ocr" / "train" / DATA_NAME


def archives(folder: Path) -> list[bytes]:
    """Tars and zips with two pictures."""
    folder.mkdir()
    for number, file in enumerate(pictures(16, 16)[:2]):
        (folder / f"ab_{number}.png").write_bytes(file)
    files = []
    for form in ("tar", "gztar", "xztar", "zip"):
        path = Path(shutil.make_archive(str(folder.with_name(f"archive-{form}")), form, folder))
        files.append(path.read_bytes())
        path.unlink()
    return files


def pictures(width: int, height: int) -> list[bytes]:
    """One in each format that can be imported."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))
    files = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP"):
        file = io.BytesIO()
        image.save(file, kind)
        files.append(file.getvalue())
    return files


def run(run_dir: Path) -> tuple[Path, Path]:
    """A run of three steps on one rank, and the file of its receipts."""
    (run_dir / "checkpoints").mkdir(parents=True)
    (run_dir / "config.yaml").write_text(dump_config(load_config({}, None, ())))
    (run_dir / "checkpoints" / "warpctc-1-3.ckpt").touch()
    (run_dir / "checkpoints" / "warpctc-1-3.json").write_text(json.dumps({"global_step": 3}))
    reading = ReceiptHeader(
        resumed_after=0,
        rank=0,
        ranks=1,
        split="train",
        count=50,
        global_batch_size=8,
        order_seed=0,
        shuffle=True,
        fingerprint="f" * 64,
    )
    writer = ReceiptWriter(run_dir / "receipts", reading)
    for step in (1, 2, 3):
        writer.add(step, reading.indices(step))
    writer.close()
    return run_dir, run_dir / "receipts" / "rank-0.jsonl"
