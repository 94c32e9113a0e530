import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datagen_server.shards.digest_cache import CACHE_NAME
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest, Plan
from datagen_server.shards.materialize import Materialized, materialize, part_of
from datagen_server.shards.verify import verify
from datagen_server.workers.executors import Workers, process_workers
from datagen_server.workers.pool import WorkerPool
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import DataLoss, ForeignDataset, NotFound, StreamingError, UsageError
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import (
    TINY,
    InThisThread,
    build,
    change_byte,
    content,
    copy,
    damage_record,
    one_worker,
    plan_of,
)


def run(directory: Path, plan: Plan | None = None, part: range | None = None) -> Materialized:
    plan = plan or plan_of()
    return materialize(directory, plan, part_of(plan, (), part), one_worker)


@contextmanager
def no_workers() -> Iterator[Workers]:
    raise AssertionError("there is nothing to render")
    yield


def test_one_worker_and_several_make_the_same_files(pristine: Path, tmp_path: Path) -> None:
    plan = plan_of()
    materialize(tmp_path, plan, plan.shards, lambda: process_workers(3))
    assert content(tmp_path) == content(pristine)


@pytest.mark.parametrize(
    ("codec", "shard_size"), [(Codec.ZSTD, 16), (Codec.PNG, 16), (Codec.RAW, 7), (Codec.RAW, 1000)]
)
def test_the_digest_depends_on_the_samples_and_on_nothing_else(
    pristine: Path, tmp_path: Path, codec: Codec, shard_size: int
) -> None:
    digest = build(tmp_path, plan_of(codec=codec, shard_size=shard_size)).digest
    assert digest == Manifest.read(pristine).digest
    assert digest != build(tmp_path / "other", plan_of(DatasetSpec(seed=1, width=40, height=24))).digest


def test_a_second_run_does_nothing_and_says_so(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    done = materialize(directory, plan_of(), plan_of().shards, no_workers)
    assert done == Materialized(Manifest.read(pristine).digest, 0, 6, 0, 0)
    assert {path.name: path.stat().st_mtime_ns for path in directory.iterdir()} == before


def test_an_interrupted_run_is_taken_up_where_it_was(pristine: Path, tmp_path: Path) -> None:
    done = run(tmp_path, part=range(2))
    assert (done.num_made, done.num_missing, done.digest) == (2, 4, "")
    assert not (tmp_path / MANIFEST_NAME).exists()
    first = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.lmdb")}
    done = run(tmp_path)
    assert (done.num_made, done.num_kept, done.num_missing) == (4, 2, 0)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in first} == first
    assert content(tmp_path) == content(pristine)


def test_a_failing_worker_leaves_finished_shards_and_no_partial_file(tmp_path: Path) -> None:
    class Failing(InThisThread):
        def submit(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN003, ANN202
            if args[1].indices.start >= 32:
                raise ConnectionResetError
            return super().submit(*args, **kwargs)

    @contextmanager
    def failing() -> Iterator[Workers]:
        yield Workers(Failing(), 1)

    with pytest.raises(StreamingError, match="run it again"):
        materialize(tmp_path, plan_of(), plan_of().shards, failing)
    assert {path.name for path in tmp_path.iterdir()} <= {CACHE_NAME, *(shard.file for shard in plan_of().shards)}
    assert run(tmp_path).num_missing == 0


def test_what_killed_runs_left_is_cleared_away(pristine: Path, tmp_path: Path) -> None:
    partial = tmp_path / ".train-00000-of-00004.lmdb.4711.partial"
    partial.write_bytes(b"half a shard")
    (tmp_path / ".somebody's.partial").write_bytes(b"not ours")
    run(tmp_path)
    assert not partial.exists()
    assert (tmp_path / ".somebody's.partial").exists()
    assert content(tmp_path) == content(pristine)


@pytest.mark.parametrize("keep_notes", [True, False], ids=["with notes", "without notes"])
def test_a_damaged_shard_is_not_kept_when_a_run_is_taken_up(pristine: Path, tmp_path: Path, keep_notes: bool) -> None:
    run(tmp_path, part=range(3))
    if not keep_notes:
        shutil.rmtree(tmp_path / CACHE_NAME)
    damage_record(tmp_path, plan_of(), plan_of().shards[1], 18)
    assert run(tmp_path).num_kept == 2
    assert content(tmp_path) == content(pristine)


def test_a_byte_changed_outside_of_all_records_is_noticed_when_a_run_is_taken_up(
    pristine: Path, tmp_path: Path
) -> None:
    run(tmp_path, part=range(3))
    change_byte(tmp_path / plan_of().shards[1].file, 9000)
    assert run(tmp_path).num_kept == 2
    assert content(tmp_path) == content(pristine)


def test_two_hosts_make_half_each_and_verify_joins_them(pristine: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    run(one, part=range(3))
    run(other, part=range(3, 6))
    for path in other.glob("*.lmdb"):
        os.rename(path, one / path.name)
    verified = verify(one)
    assert verified.joined
    assert verified.digest == Manifest.read(pristine).digest
    assert content(one) == content(pristine)


def test_splits_and_ranges_choose_shards(tmp_path: Path) -> None:
    plan = plan_of()
    assert [shard.split for shard in part_of(plan, ["test"], None)] == ["test"] * 2
    assert [shard.file for shard in part_of(plan, ["train"], range(1, 3))] == [
        "train-00001-of-00004.lmdb",
        "train-00002-of-00004.lmdb",
    ]
    with pytest.raises(NotFound, match="there is no split valid; this data set has test, train"):
        part_of(plan, ["valid"], None)
    for impossible in (range(7), range(3, 3), range(-1, 2)):
        with pytest.raises(UsageError, match="must lie within 0:6"):
            part_of(plan, (), impossible)


def test_a_directory_with_another_data_set_is_refused_by_name(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    other = plan_of(DatasetSpec(**{**vars(plan_of().dataset.spec), "seed": 5}))
    for _ in ("complete", "in the middle"):
        with pytest.raises(UsageError, match=r"shards of another data set \(seed 0, not 5\)"):
            run(directory, other)
        (directory / MANIFEST_NAME).unlink(missing_ok=True)
    assert len(list(directory.glob("*.lmdb"))) == 6


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds thesis"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the directory"):
        run(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot make the directory"):
        run(tmp_path / "file" / "below")


def test_a_second_writer_in_a_directory_is_refused(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process is at work"):
            run(tmp_path)
    finally:
        os.close(fd)


def test_a_complete_set_with_a_shard_gone_names_it_and_the_remedy(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / plan_of().shards[3].file).unlink()
    with pytest.raises(DataLoss, match=f"{plan_of().shards[3].file} is gone; .*verify --repair"):
        run(directory)


def test_a_worker_that_draws_other_pixels_is_refused(tmp_path: Path) -> None:
    dataset = Dataset(spec=TINY, counts={"train": 3}, fingerprint="0" * 64)
    with pytest.raises(ForeignDataset, match="renders other pixels"):
        run(tmp_path, Plan(dataset=dataset))
    assert not list(tmp_path.glob("*.lmdb"))


def test_a_killed_worker_is_replaced_and_nothing_is_lost(pristine: Path, tmp_path: Path) -> None:
    pool = WorkerPool(2, ahead=2)

    @contextmanager
    def mortal() -> Iterator[Workers]:
        pid = pool.submit(os.getpid).result()
        os.kill(pid, 9)
        yield Workers(pool, 2)

    try:
        materialize(tmp_path, plan_of(), plan_of().shards, mortal)
    finally:
        pool.shutdown()
    assert content(tmp_path) == content(pristine)


def test_a_spec_with_nested_fields_is_materialised_again_verified_and_told_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tuples are read back from JSON as lists: what is written and what is read must compare equal all the same."""
    to_mapping, from_mapping = DatasetSpec.to_mapping, DatasetSpec.from_mapping
    styles: list[dict[str, object]] = [{"name": "plain", "weights": (1, 2.5)}, {"name": "wavy", "colors": ((0, 1),)}]
    monkeypatch.setattr(DatasetSpec, "to_mapping", lambda self: {**to_mapping(self), "extra_styles": tuple(styles)})

    def without_styles(values: dict[str, object]) -> DatasetSpec:
        return from_mapping({name: value for name, value in values.items() if name != "extra_styles"})

    monkeypatch.setattr(DatasetSpec, "from_mapping", without_styles)
    first = run(tmp_path, plan_of())
    (tmp_path / MANIFEST_NAME).unlink()
    again = run(tmp_path, plan_of())
    assert (first.num_made, again.num_made, again.num_kept) == (6, 0, 6)
    assert run(tmp_path, plan_of()).num_made == 0
    assert not verify(tmp_path).findings
