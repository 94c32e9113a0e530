"""Everything that reads bytes from outside, each as a function of those bytes, with real artefacts to start from.

Only errors of `shared.errors` may come out. Note: where a checksum guards a decoder, a target also puts the
right one on the bytes, for an input that is only refused by its checksum says nothing about what is behind it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import xxhash
from google.protobuf.message import DecodeError

from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.service.validation import parse, sample_indices, stream_request
from datagen_server.shards import manifest
from datagen_server.shards.lmdb_reader import Tree
from datagen_server.shards.manifest import MANIFEST_NAME, PLAN_KEY, Manifest, Plan
from datagen_server.shards.record import layout_of, max_payload_bytes
from datagen_server.shards.shard_file import ShardFile, read_description
from datagen_server.shards.shard_writer import key_of, seal, unseal
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import StreamingError
from shared.images.decode import decode_picture
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol import batch_message, messages
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode
from shared.protocol.request import StreamRequest
from shared.recogniser.checkpoint_info import read_info
from tests.fuzz import artefacts
from tests.support.toys import TOY_COUNTS, TOY_FINGERPRINT, ToySource
from trainer.audit.exactly_once import Receipts
from trainer.config import dump_config, load_config
from trainer.distributed.rank_table import read_rank_table

SPEC = DatasetSpec(width=16, height=16, alphabet="01", max_length=2)
DATASET = Dataset(spec=SPEC, counts=TOY_COUNTS, fingerprint=TOY_FINGERPRINT)
CODECS = tuple(Codec)
_INDICES = np.arange(3, dtype=np.uint64)


@dataclass(frozen=True)
class Target:
    """A decoder; `decode` may raise `StreamingError` and nothing else."""

    decode: Callable[[bytes], object]
    seeds: Sequence[bytes]


def _requests(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError):
            sample_indices(parse(pb.GetSamplesRequest.FromString, data), DATASET, CODECS)
        request = stream_request(parse(pb.StreamBatchesRequest.FromString, data), DATASET, CODECS)
        for step in islice(request.steps, 2):
            indices = request.order.indices(request.rank_slice.positions(step))
            assert len(indices) <= request.rank_slice.batch_size
            assert not len(indices) or indices.max() < request.count

    request = StreamRequest(dataset=DATASET, split="train", epoch=3, first_step=2, rank=1, ranks=2, codec=Codec.ZSTD)
    samples = pb.GetSamplesRequest(split="test", indices=[0, 129, 5], codec=pb.CODEC_PNG)
    return Target(decode_one, [messages.request_message(request).SerializeToString(), samples.SerializeToString()])


def _batch(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError):
            batch_message.read_batch(data, SPEC).decode()
        batch = batch_message.read_batch(_with_right_checksum(data), SPEC).decode()
        assert batch.images.shape == (len(batch), *SPEC.image_shape)
        assert batch.labels.shape == (len(batch), SPEC.max_length)

    return Target(decode_one, [batch_message.encode_batch(1, 2, _INDICES, _records(codec)) for codec in CODECS])


def _answers(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError, DecodeError):
            described = pb.GetDatasetResponse.FromString(data)
            messages.codecs_of(described)
            messages.dataset_of(described)
        with suppress(DecodeError):
            samples = pb.GetSamplesResponse.FromString(data)
            for codec in CODECS:
                with suppress(StreamingError):
                    messages.samples_of(samples, codec, SPEC)

    samples = [messages.samples_message([0, 1, 2], _records(codec), DATASET).SerializeToString() for codec in CODECS]
    return Target(decode_one, [messages.dataset_message(DATASET, CODECS, "toy").SerializeToString(), *samples])


def _images(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        codec = CODECS[data[0] % len(CODECS)] if data else Codec.RAW
        assert decode([data[1:]], codec, SPEC.image_shape).shape == (1, *SPEC.image_shape)

    image = np.random.default_rng(0).integers(0, 255, SPEC.image_shape, np.uint8)
    return Target(decode_one, [bytes([number]) + encode(image, codec) for number, codec in enumerate(CODECS)])


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


def _ocr_lmdb(folder: Path) -> Target:
    path = artefacts.ocr_lmdb(folder / "made")
    return _source(folder, "fuzzed/data.mdb", [path.read_bytes()])


def _label_file(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.txt", [b"0.png\tab\n0.png\tcd\n", b'0.png, "a""b"\r0.png, c\r', b"0.png a b\n"])


def _label_table(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.csv", [b'file,text\n0.png,"a,b"\n0.png,c\n'])


def _label_json(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.jsonl", [b'{"file_name": "0.png", "text": "ab"}\n{"image": "0.png", "label": 7}\n'])


def _archive(folder: Path) -> Target:
    return _source(folder, "fuzzed.tar", artefacts.archives(folder / "made"))


def _source(folder: Path, name: str, seeds: Sequence[bytes]) -> Target:
    """What `import` makes of a file with that name."""
    (folder / name).parent.mkdir(exist_ok=True)
    before = sorted(folder.rglob("*"))

    def decode_one(data: bytes) -> None:
        (folder / name).write_bytes(data)
        for one in open_sources(folder / name, Hints(), folder):
            for entry in islice(one.source.entries(), 20):
                assert "\n" not in entry.detail
                if entry.reason is None:
                    with suppress(StreamingError):
                        one.source.read(entry.name)
            one.source.close()
        (folder / name).unlink()
        assert sorted(folder.rglob("*")) == [path for path in before if path != folder / name]

    return Target(decode_one, seeds)


def _picture(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        image = decode_picture(data)
        assert image.dtype == np.uint8
        assert image.shape[2] == 3

    return Target(decode_one, artefacts.pictures(16, 16))


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


def _records(codec: Codec) -> Records:
    source = ToySource(SPEC)
    try:
        return source.read("train", _INDICES, codec).result()
    finally:
        source.close()


def _with_right_checksum(data: bytes) -> bytes:
    try:
        message = pb.StreamBatchesResponse.FromString(data)
    except DecodeError:
        return data
    indices, sizes = np.array(message.indices, np.uint64), np.array(message.image_sizes, np.uint32)
    message.checksum = batch_message._checksum(indices, message.labels, sizes, [message.images])
    return message.SerializeToString()


def _with_right_digest(data: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        body = json.loads(data)
        if isinstance(body, dict):
            body.pop("checksum", None)
            return json.dumps({**body, "checksum": manifest._checksum(body)}).encode()
    return data


TARGETS: dict[str, Callable[[Path], Target]] = {
    "requests": _requests,
    "batch": _batch,
    "answers": _answers,
    "images": _images,
    "shard": _shard,
    "shard_plan": _shard_plan,
    "pages": _pages,
    "manifest": _manifest,
    "rank_table": _rank_table,
    "checkpoint": _checkpoint,
    "ocr_lmdb": _ocr_lmdb,
    "label_file": _label_file,
    "label_table": _label_table,
    "label_json": _label_json,
    "archive": _archive,
    "picture": _picture,
    "config": _config,
    "receipts": _receipts,
}
"Makes a target, with a folder of its own to work in."


def attempt(target: Target, data: bytes) -> None:
    """Decodes; whatever comes out but an error that a person can read, in one line, is a crash."""
    try:
        target.decode(data)
    except StreamingError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than one line: {error}") from error


def variants(seed: bytes, num: int) -> Iterator[bytes]:
    """The seed, cut and with flipped bits, the same ones every time."""
    yield seed
    random = np.random.default_rng(int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "little"))
    for number in range(num if seed else 0):
        at = int(random.integers(len(seed)))
        if number % 4 == 0:
            yield seed[:at]
        else:
            yield seed[:at] + bytes([seed[at] ^ 1 << int(random.integers(8))]) + seed[at + 1 :]
