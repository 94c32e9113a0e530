"""Small sets of shards for tests, made in this thread; a rendered sample to compare with."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards import render_chunk
from datagen_server.shards.manifest import Manifest, Plan, Shard
from datagen_server.shards.materialize import materialize
from datagen_server.shards.shard_file import ShardFile
from datagen_server.sources.shard_source import ShardSource
from datagen_server.workers.executors import Workers
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.batch import Records, label_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode

_P = ParamSpec("_P")
_T = TypeVar("_T")

SMALL = DatasetSpec(width=40, height=24, alphabet="0123", max_length=2)
"Records of about 3 kB: in pages of their own."
TINY = DatasetSpec(width=16, height=16, alphabet="01", max_length=1)
"Records of 808 bytes: several in a page."
COUNTS = {"train": 50, "test": 21}
SHARD_SIZE = 16


class InThisThread(Executor):
    """Does the work when it is submitted."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def one_worker() -> Iterator[Workers]:
    yield Workers(InThisThread(), 1)


def plan_of(
    spec: DatasetSpec = SMALL,
    counts: Mapping[str, int] = COUNTS,
    codec: Codec = Codec.RAW,
    shard_size: int = SHARD_SIZE,
) -> Plan:
    dataset = Dataset(spec=spec, counts=counts, fingerprint=fingerprint(spec))
    return Plan(dataset=dataset, codec=codec, shard_size=shard_size)


def build(directory: Path, plan: Plan | None = None) -> Manifest:
    """Materialises all of `plan`."""
    plan = plan or plan_of()
    materialize(directory, plan, plan.shards, one_worker)
    return Manifest.read(directory)


def copy(pristine: Path, directory: Path) -> Path:
    """A copy as a person would make it, with the hidden notes, which then hold no longer."""
    return Path(shutil.copytree(pristine, directory))


def with_foreign_fingerprint(directory: Path, plan: Plan | None = None) -> Manifest:
    """Shards as another renderer would have made them: whole, but beyond this one's power to render again."""
    plan = plan or plan_of()
    dataset = Dataset(spec=plan.dataset.spec, counts=plan.dataset.counts, fingerprint="f" * 64)
    foreign = Plan(dataset=dataset, codec=plan.codec, shard_size=plan.shard_size)
    materialize(directory, foreign, foreign.shards, one_foreign_worker)
    return Manifest.read(directory)


@contextmanager
def one_foreign_worker() -> Iterator[Workers]:
    true_renderer = render_chunk._renderer
    render_chunk._renderer = lambda spec, *_: renderer(spec)  # type: ignore[assignment]
    try:
        yield Workers(InThisThread(), 1)
    finally:
        render_chunk._renderer = true_renderer


@cache
def renderer(spec: DatasetSpec) -> CaptchaRenderer:
    return CaptchaRenderer(spec)


def expected(spec: DatasetSpec, split: str, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Image and label as the renderer makes them."""
    image, text = renderer(spec).render(split, index)
    return image, label_of(text, spec.alphabet, spec.max_length)


def read(source: ShardSource, split: str, *indices: int, codec: Codec | None = None) -> Records:
    return source.read(split, np.array(indices, np.uint64), codec or source.codecs[0]).result()


def images_of(records: Records, spec: DatasetSpec) -> NDArray[np.uint8]:
    """uint8 [n, height, width, 3], whatever the codec."""
    joined = memoryview(b"".join(records.payloads))
    sizes = records.image_sizes.tolist() or [spec.image_bytes] * len(records.labels)
    ends = np.cumsum([0, *sizes]).tolist()
    parts = [joined[low:high] for low, high in pairwise(ends)]
    return decode(parts, records.codec, spec.image_shape)


def assert_rendered(records: Records, spec: DatasetSpec, split: str, *indices: int) -> None:
    """Every image and label is the renderer's."""
    images = images_of(records, spec)
    for image, label, index in zip(images, records.labels, indices, strict=True):
        expected_image, expected_label = expected(spec, split, index)
        assert np.array_equal(image, expected_image), f"{split} {index}"
        assert np.array_equal(label, expected_label), f"{split} {index}"


def change_byte(path: Path, offset: int, mask: int = 0xFF) -> None:
    """Flips bits of one byte in place."""
    with open(path, "r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def damage_record(directory: Path, plan: Plan, shard: Shard, index: int) -> None:
    """Flips a byte in the middle of the image of `index`."""
    offset, size = ShardFile(directory / shard.file, plan, shard).place(index)
    change_byte(directory / shard.file, offset + 40 + size // 2)


def content(directory: Path) -> dict[str, bytes]:
    """What a reader sees: the visible files."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if not path.name.startswith(".")}
