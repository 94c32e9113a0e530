"""3,000 pictures of mixed size, format and colour mode, 40 bad ones among them, from every kind of source."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from datagen_server.shards.verify import verify
from datagen_server.sources.shard_source import ShardSource
from evaluator import cli as evaluator
from shared.dataset.seeding import Draws
from tests.datagen_server.importing.running import imported
from tests.datagen_server.importing.sources.building import tar, write, write_lmdb, zipped
from tests.shared.images.files import picture_file, pixels, saved
from tests.shared.images.test_decode import png_that_claims
from tests.support.services import served
from trainer.cli import main as train

NUM_PICTURES = 3000
SIZES = ((160, 64), (100, 40), (200, 60), (33, 17), (120, 120))
REASONS = {"damaged_picture": 12, "not_a_picture": 12, "too_large": 8, "label_too_long": 8}
SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


class Picture(NamedTuple):
    label: str
    file: bytes
    suffix: str

    def named(self, number: int) -> str:
        return f"{self.label}_{number}.{self.suffix}"


def _modes(image: Image.Image) -> Mapping[str, Callable[[], tuple[bytes, str]]]:
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return {
        "RGB": lambda: (saved(image), "png"),
        "grey": lambda: (saved(image.convert("L")), "png"),
        "16-bit grey": lambda: (saved(deep), "png"),
        "RGBA": lambda: (saved(image.convert("RGBA")), "png"),
        "grey with alpha": lambda: (saved(image.convert("LA")), "png"),
        "palette": lambda: (saved(image.convert("P")), "png"),
        "one bit": lambda: (saved(image.convert("1")), "bmp"),
        "JPEG": lambda: (saved(image, "JPEG"), "jpg"),
        "grey JPEG": lambda: (saved(image.convert("L"), "JPEG"), "jpeg"),
        "CMYK": lambda: (saved(image.convert("CMYK"), "JPEG"), "jpg"),
        "progressive": lambda: (saved(image, "JPEG", progressive=True), "jpg"),
        "WebP": lambda: (saved(image, "WEBP", lossless=True), "webp"),
        "BMP": lambda: (saved(image, "BMP"), "bmp"),
        "GIF": lambda: (saved(image.convert("P"), "GIF"), "gif"),
    }


@cache
def mixed() -> Sequence[Picture]:
    """All pictures; the bad ones are spread among the others."""
    bad = iter(_bad())
    step = NUM_PICTURES // sum(REASONS.values())
    return [next(bad) if number % step == step // 2 else _good(number) for number in range(NUM_PICTURES)]


def _good(number: int) -> Picture:
    draws = Draws(number)
    label = "".join("23456789abcdef"[draws.randbelow(14)] for _ in range(3 + draws.randbelow(4)))
    modes = _modes(Image.fromarray(pixels(*SIZES[draws.randbelow(len(SIZES))], seed=number)))
    return Picture(label, *modes[sorted(modes)[number % len(modes)]]())


def _bad() -> Iterator[Picture]:
    for number in range(12):
        yield Picture("dead", picture_file(120, 60, seed=number)[: 90 + number], "png")
        yield Picture("beef", b"no picture %d" % number, "png")
    for number in range(8):
        yield Picture("cafe", png_that_claims(9000 + number, 9000), "png")
        yield Picture("x" * 40, picture_file(seed=5000 + number), "png")


def parts() -> Iterator[tuple[str, Sequence[tuple[int, Picture]]]]:
    """Each split and its pictures, with their numbers."""
    pictures = iter(enumerate(mixed()))
    for split, share in SHARES.items():
        yield split, list(islice(pictures, round(share * NUM_PICTURES)))


def named() -> dict[str, bytes]:
    return {one.named(number): one.file for number, one in enumerate(mixed())}


def folders() -> dict[str, bytes]:
    return {f"{split}/{one.named(number)}": one.file for split, part in parts() for number, one in part}


def _listed(form: str, label_file: str, folder: str = "") -> dict[str, bytes | str]:
    """A label file for each split; form: of its lines."""
    files: dict[str, bytes | str] = {}
    for split, part in parts():
        paths = {number: f"{folder.format(split=split)}word_{number}.{one.suffix}" for number, one in part}
        files |= {paths[number]: one.file for number, one in part}
        lines = (form.format(path=paths[number], label=one.label) for number, one in part)
        files[label_file.format(split=split)] = "".join(line + "\n" for line in lines)
    return files


def _csv() -> dict[str, bytes | str]:
    rows = (f"images/{number}.{one.suffix},{one.label}\n" for number, one in enumerate(mixed()))
    images = {f"images/{number}.{one.suffix}": one.file for number, one in enumerate(mixed())}
    return {**images, "labels.csv": "filename,label\n" + "".join(rows)}


def _json_lines() -> dict[str, bytes | str]:
    names = [f"images/{number}.{one.suffix}" for number, one in enumerate(mixed())]
    rows = (json.dumps({"file_name": name, "text": one.label}) + "\n" for name, one in zip(names, mixed(), strict=True))
    images = {name: one.file for name, one in zip(names, mixed(), strict=True)}
    return {**images, "metadata.jsonl": "".join(rows)}


def _pairs() -> dict[str, bytes | str]:
    pictures = {f"{number:06d}.{one.suffix}": one.file for number, one in enumerate(mixed())}
    return {**pictures, **{f"{number:06d}.txt": one.label for number, one in enumerate(mixed())}}


def _lmdbs(path: Path) -> Path:
    places = {"train": "training/MJ/MJ_train", "valid": "validation", "test": "evaluation/SVT"}
    for split, part in parts():
        write_lmdb(path / places[split], [(one.label, one.file) for _, one in part])
    return path


def _one_lmdb(path: Path) -> Path:
    return (write_lmdb(path, [(one.label, one.file) for one in mixed()]) / "data.mdb").rename(path / "all.lmdb")


SOURCES: Mapping[str, Callable[[Path], Path]] = {
    "labels in names": lambda path: write(path, named()),
    "folders of splits": lambda path: write(path, folders()),
    "PaddleOCR": lambda path: write(path, _listed("{path}\t{label}", "rec_gt_{split}.txt", "{split}/")),
    "MindOCR": lambda path: write(path, _listed('{path}, "{label}"', "gt_{split}.txt", "{split}/")),
    "deep-text": lambda path: write(path, _listed("{path} {label}", "{split}/gt.txt", "{split}/image/")),
    "csv": lambda path: write(path, _csv()),
    "jsonl": lambda path: write(path, _json_lines()),
    "nested LMDBs": _lmdbs,
    "single-file LMDB": _one_lmdb,
    "tar": lambda path: tar(path.with_suffix(".tar"), write(path, folders())),
    "zip": lambda path: zipped(path.with_suffix(".zip"), write(path, named())),
    "WebDataset": lambda path: tar(path.with_suffix(".tar"), write(path, _pairs())),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", SOURCES)
def test_the_good_ones_are_taken_and_the_bad_ones_listed_by_reason(kind: str, tmp_path: Path) -> None:
    facts = imported(SOURCES[kind](tmp_path / "data"), out=tmp_path / "out", shard_size=512)
    assert facts["reasons"] == REASONS
    assert {name: len(examples) for name, examples in facts["examples"].items()} == REASONS
    assert facts["taken"] == NUM_PICTURES - sum(REASONS.values())
    assert set(facts["splits"]) == set(SHARES)
    assert verify(tmp_path / "out").findings == ()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["folders of splits", "nested LMDBs"])
def test_the_rest_is_trained_from_and_evaluated(kind: str, tmp_path: Path) -> None:
    facts = imported(SOURCES[kind](tmp_path / "data"), out=tmp_path / "out", shard_size=512)
    run_dir = tmp_path / "run"
    keys = "hidden_size=16", "batch_size=16", "steps=4", "save_checkpoint_steps=4"
    with served(ShardSource(tmp_path / "out")) as target:
        _json_of(train, "--preset", "crnn", "--datagen", target, "--run-dir", run_dir, *(f"-o{key}" for key in keys))
        figures = _json_of(evaluator.main, "--ckpt", run_dir, "--datagen", target, "--report", tmp_path / "report")
    assert figures["samples"] == facts["splits"]["test"]


def _json_of(main: Callable[[list[str]], int], *arguments: object) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as out:
        assert main([*map(str, arguments), "--json"]) == 0
    return dict(json.loads(out.getvalue()))
