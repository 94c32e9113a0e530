import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen_server.shards.manifest import MANIFEST_NAME, Manifest, Plan
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import DataLoss, StreamingError, UsageError
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import change_byte, copy, plan_of


@given(
    st.dictionaries(st.sampled_from(["train", "test", "a"]), st.integers(1, 10_000), min_size=1), st.integers(1, 3000)
)
def test_shards_cover_every_index_of_every_split_once(counts: dict[str, int], shard_size: int) -> None:
    plan = Plan(dataset=Dataset(spec=DatasetSpec(), counts=counts), shard_size=shard_size)
    for split, count in counts.items():
        indices = [index for shard in plan.shards if shard.split == split for index in shard.indices]
        assert indices == list(range(count))
    assert len({shard.file for shard in plan.shards}) == len(plan.shards)


def test_shards_of_the_default_data_set_have_the_names_that_were_promised() -> None:
    files = [shard.file for shard in Plan(dataset=Dataset(spec=DatasetSpec())).shards]
    assert files[:3] == ["test-00000-of-00002.lmdb", "test-00001-of-00002.lmdb", "train-00000-of-00007.lmdb"]
    assert len(files) == 9


def test_the_manifest_has_the_keys_that_were_promised(pristine: Path) -> None:
    manifest = json.loads((pristine / MANIFEST_NAME).read_text())
    assert manifest["spec"]["seed"] == 0
    assert manifest["codec"] == "raw"
    assert len(manifest["fingerprint"]) == 64
    assert len(manifest["digest"]) == 32
    assert set(manifest["shards"][0]) == {"file", "split", "first", "count", "size_bytes", "sha256"}
    for shard in manifest["shards"]:
        assert (pristine / shard["file"]).stat().st_size == shard["size_bytes"]


def test_a_manifest_is_read_back_as_it_was_written(pristine: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(pristine)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_NAME]


def test_a_manifest_with_a_changed_byte_is_never_believed(pristine: Path, tmp_path: Path) -> None:
    path = tmp_path / MANIFEST_NAME
    original = (pristine / MANIFEST_NAME).read_bytes()
    expected = Manifest.read(pristine)
    for offset in range(0, len(original), 7):
        path.write_bytes(original)
        change_byte(path, offset, 1)
        with suppress(StreamingError):
            assert Manifest.read(tmp_path) == expected


def test_a_damaged_manifest_is_data_loss_that_names_the_remedy(pristine: Path, tmp_path: Path) -> None:
    copy(pristine, tmp_path / "shards")
    path = tmp_path / "shards" / MANIFEST_NAME
    path.write_text(path.read_text().replace('"count": 16', '"count": 17', 1))
    with pytest.raises(DataLoss, match="verify --repair"):
        Manifest.read(tmp_path / "shards")


@pytest.mark.parametrize(("name", "words"), [("nowhere", "is not a directory"), (".", "holds no complete set")])
def test_a_directory_without_manifest_is_refused_in_one_line(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Manifest.read(tmp_path / name)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (plan_of(DatasetSpec(seed=1)), "seed 1, not 0"),
        (plan_of(codec=Codec.PNG), "codec png, not raw"),
        (plan_of(shard_size=99), "shard_size 99, not 16"),
    ],
)
def test_the_difference_of_two_plans_is_named(other: Plan, words: str) -> None:
    spec = other.dataset.spec if other.dataset.spec.seed else plan_of().dataset.spec
    assert plan_of(DatasetSpec(**{**vars(spec), "seed": 0})).difference(other).startswith(words)


def test_equal_plans_have_no_difference() -> None:
    assert plan_of().difference(plan_of()) == ""


@pytest.mark.parametrize("shard_size", [0, -1, 2**17 + 1])
def test_an_impossible_shard_size_is_refused(shard_size: int) -> None:
    with pytest.raises(UsageError, match="shard size must be in"):
        plan_of(shard_size=shard_size)
