"""What programs read of their own files: shards, rank tables, checkpoints, configs, receipts."""

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import xxhash

from datagen_server.shards import manifest
from datagen_server.shards.lmdb_reader import Tree
from datagen_server.shards.manifest import MANIFEST_NAME, PLAN_KEY, Manifest, Plan
from datagen_server.shards.record import layout_of, max_payload_bytes
from datagen_server.shards.shard_file import ShardFile, read_description
from datagen_server.shards.shard_writer import key_of, seal, unseal
from shared.errors import StreamingError
from shared.recogniser.checkpoint_info import read_info
from tests.fuzz import artefacts
from tests.fuzz.attempts import MakeTarget, Target
from trainer.audit.exactly_once import Receipts
from trainer.config import dump_config, load_config
from trainer.distributed.tables.rank_table import read_rank_table


def _shard(folder: Path) -> Target:
    found = artefacts.shards(folder / "made")
    plan, path = found.plan, folder / "fuzzed.lmdb"
    stored = found.shards[0].shard

    def decode_one(data: bytes) -> None:
        path.write_bytes(data)
        file = ShardFile(path, plan, stored)
        # Other pixels may come: atheris sees checksums compared and forges them. They are against damage, not malice.
        most = layout_of(plan.dataset.spec).header_bytes + max_payload_bytes(plan.dataset.spec)
        for index in stored.indices:
            record = file.record(index)
            assert record is None or len(record) <= most
        read_description(path)

    return Target(decode_one, [(folder / "made" / stored.file).read_bytes()])


def _shard_plan(folder: Path) -> Target:
    found = artefacts.shards(folder / "made")

    def decode_one(data: bytes) -> None:
        with suppress(StreamingError):
            unseal(data)
        if (told := unseal(xxhash.xxh3_64_digest(data) + data)) is not None:
            Plan.from_mapping(told).difference(found.plan)

    return Target(decode_one, [seal(found.plan, found.shards[0].shard, 7)[8:]])


def _pages(folder: Path) -> Target:
    paths = artefacts.lmdb_files(folder / "made")

    def decode_one(data: bytes) -> None:
        fd = os.memfd_create("fuzzed")
        try:
            os.write(fd, data)
            tree = Tree(fd)
            for key in (key_of(0), key_of(700), PLAN_KEY, b"", b"\xff" * 8):
                with suppress(StreamingError):
                    tree.find(key)
                with suppress(StreamingError):
                    tree.leaf(key)
        finally:
            os.close(fd)

    return Target(decode_one, [path.read_bytes() for path in paths])


def _manifest(folder: Path) -> Target:
    artefacts.shards(folder / "made")

    def decode_one(data: bytes) -> None:
        path = folder / MANIFEST_NAME
        for text in (data, _with_right_digest(data)):
            path.write_bytes(text)
            with suppress(StreamingError):
                found = Manifest.read(folder)
                assert [len(found.of_split(split)) for split in found.plan.dataset.counts]

    return Target(decode_one, [(folder / "made" / MANIFEST_NAME).read_bytes()])


def _rank_table(folder: Path) -> Target:
    def decode_one(data: bytes) -> None:
        (folder / "table.json").write_bytes(data)
        table = read_rank_table(folder / "table.json")
        derived = table.derived(["10.0.0.1"] * len(table.servers))
        assert len(derived["server_list"]) == len(table.servers)
        assert sum(len(server.devices) for server in table.servers) == table.ranks

    return Target(decode_one, artefacts.rank_tables())


def _checkpoint(folder: Path) -> Target:
    path = folder / "warpctc-1-1.ckpt"
    path.write_bytes(b"weights")

    def decode_one(data: bytes) -> None:
        path.with_suffix(".json").write_bytes(data)
        info = read_info(path)
        info.dataset_spec()
        info.network_spec()

    return Target(decode_one, [json.dumps(asdict(artefacts.checkpoint_info(path))).encode()])


def _config(folder: Path) -> Target:
    def decode_one(data: bytes) -> None:
        path = folder / "config.yaml"
        path.write_bytes(data)
        with suppress(StreamingError):
            config = load_config({}, path, ())
            path.write_text(dump_config(config))
            assert load_config({}, path, ()) == config
        load_config({}, None, data.decode(errors="replace").splitlines())

    text = dump_config(load_config({}, None, ())).encode()
    return Target(decode_one, [text, b"batch_size=8\nlearning_rate=1e-3\ncodec=zstd\nsteps=null"])


def _receipts(folder: Path) -> Target:
    run_dir, path = artefacts.run(folder / "run")

    def decode_one(data: bytes) -> None:
        path.write_bytes(data)
        receipts = Receipts(run_dir)
        receipts.prove()
        receipts.samples(1)

    return Target(decode_one, [path.read_bytes()])


def _with_right_digest(data: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        body = json.loads(data)
        if isinstance(body, dict):
            body.pop("checksum", None)
            return json.dumps({**body, "checksum": manifest._checksum(body)}).encode()
    return data


STORED_TARGETS: dict[str, MakeTarget] = {
    "shard": _shard,
    "shard_plan": _shard_plan,
    "pages": _pages,
    "manifest": _manifest,
    "rank_table": _rank_table,
    "checkpoint": _checkpoint,
    "config": _config,
    "receipts": _receipts,
}
