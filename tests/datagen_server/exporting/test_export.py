"""What readers of the other projects find; `lmdb` and Pillow stand for them."""

import io
from contextlib import nullcontext
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from datagen_server.exporting.export import export
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, NotFound, StreamingError, UsageError
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import (
    COUNTS,
    SMALL,
    TINY,
    build,
    copy,
    damage_record,
    expected,
    plan_of,
)


def stored(data: Path) -> dict[bytes, bytes]:
    """Read as deep-text-recognition-benchmark does."""
    environment = lmdb.open(str(data), readonly=True, lock=False, readahead=False, lib_version=0)
    with environment, environment.begin() as transaction:
        return dict(transaction.cursor())


def assert_is_the_picture(data: bytes, split: str, index: int) -> str:
    """Returns the text that belongs to it."""
    image, label = expected(SMALL, split, index)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(picture), image)
    return text_of(label, SMALL.alphabet)


@pytest.mark.parametrize("codec", [Codec.RAW, Codec.PNG])
def test_an_ocr_lmdb_has_the_keys_of_the_other_projects(tmp_path: Path, codec: Codec) -> None:
    build(tmp_path / "shards", plan_of(codec=codec))
    assert export(ShardSource(tmp_path / "shards"), tmp_path / "ocr", "ocr-lmdb", ()) == sum(COUNTS.values())
    for split, count in COUNTS.items():
        values = stored(tmp_path / "ocr" / split)
        assert int(values.pop(b"num-samples")) == count
        for index in range(count):
            text = assert_is_the_picture(values.pop(f"image-{index + 1:09d}".encode()), split, index)
            assert values.pop(f"label-{index + 1:09d}".encode()).decode() == text
        assert not values
    assert (tmp_path / "ocr" / "dict.txt").read_text() == "0\n1\n2\n3\n"


def test_only_data_files_are_in_leaf_directories(pristine: Path, tmp_path: Path) -> None:
    export(ShardSource(pristine), tmp_path / "ocr", "ocr-lmdb", ())
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert names == {"ocr", "ocr/dict.txt", "ocr/train", "ocr/train/data.mdb", "ocr/test", "ocr/test/data.mdb"}


def test_png_files_are_named_by_index_and_label(pristine: Path, tmp_path: Path) -> None:
    assert export(ShardSource(pristine), tmp_path / "png", "png", ["test"]) == COUNTS["test"]
    paths = sorted((tmp_path / "png" / "test").iterdir())
    assert len(paths) == COUNTS["test"]
    for index, path in enumerate(paths):
        text = assert_is_the_picture(path.read_bytes(), "test", index)
        assert path.name == f"{index:05d}-{text}.png"
    assert [path.name for path in (tmp_path / "png").iterdir()] == ["test"]


def test_progress_counts_every_sample(pristine: Path, tmp_path: Path) -> None:
    advanced: list[int] = []
    export(ShardSource(pristine), tmp_path / "png", "png", (), lambda total: nullcontext(advanced.append))
    assert sum(advanced) == sum(COUNTS.values())


def test_nothing_is_left_when_a_sample_cannot_be_had(foreign: Path, tmp_path: Path) -> None:
    directory = copy(foreign, tmp_path / "shards")
    plan = ShardSource(directory)._shard_cache._plan
    damage_record(directory, plan, plan.shards[-1], 49)
    with pytest.raises(DataLoss, match="index 49"):
        export(ShardSource(directory), tmp_path / "ocr", "ocr-lmdb", ())
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_what_is_there_is_not_overwritten(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError, match="is there already"):
            export(ShardSource(pristine), out, "png", ())
    (tmp_path / "empty").mkdir()
    assert export(ShardSource(pristine), tmp_path / "empty", "png", ())


def test_a_place_that_cannot_be_written_to_is_one_clear_line(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamingError, match="cannot write") as caught:
        export(ShardSource(pristine), tmp_path / "file" / "below", "png", ())
    assert "\n" not in str(caught.value)


def test_labels_that_no_file_name_can_hold_are_refused(tmp_path: Path) -> None:
    spec = DatasetSpec(**{**vars(TINY), "alphabet": "a/"})
    build(tmp_path / "shards", plan_of(spec, {"train": 2}))
    with pytest.raises(UsageError, match="export as ocr-lmdb"):
        export(ShardSource(tmp_path / "shards"), tmp_path / "png", "png", ())


def test_an_unknown_split_is_refused(pristine: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no split valid; this data set has test, train"):
        export(ShardSource(pristine), tmp_path / "png", "png", ["valid"])
