"""What an import refuses: bad pictures are listed by reason, the whole of it in one line."""

from pathlib import Path

import pytest

from shared.errors import StreamingError, UsageError
from tests.datagen_server.importing.running import files_of, imported, many
from tests.datagen_server.importing.sources.building import by_label, write
from tests.shared.images.files import picture_file


def test_forty_bad_ones_among_many_are_listed_by_reason(tmp_path: Path) -> None:
    bad = {f"bad_{n}.png": (b"", b"text", picture_file()[:80], b"GIF89a")[n % 4] for n in range(36)}
    bad |= {f"{'x' * 40}_{n}.png": picture_file(seed=2000 + n) for n in range(4)}
    facts = imported(write(tmp_path / "data", {**many(300), **bad}), out=tmp_path / "out")
    assert facts["taken"] == 300
    assert facts["reasons"] == {"damaged_picture": 18, "not_a_picture": 18, "label_too_long": 4}
    assert all(len(facts["examples"][name]) == min(20, count) for name, count in facts["reasons"].items())


def test_strict_writes_no_shards(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "bad.png": b"text"})
    with pytest.raises(StreamingError, match="1 pictures are faulty") as caught:
        imported(data, out=tmp_path / "out", strict=True)
    assert caught.value.exit_code == 1
    assert not list((tmp_path / "out").glob("*.lmdb"))
    (data / "bad.png").unlink()
    assert imported(data, out=tmp_path / "out", strict=True)["taken"] == 4


def test_nothing_left_is_one_line_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no picture is left to import: 1 not a picture \(ab.png: is not a PNG, .*\)"):
        imported(write(tmp_path / "data", {"ab.png": b"text"}), out=tmp_path / "out")


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data", by_label())
    write(tmp_path / "out", {"letter.txt": "Dear"})
    with pytest.raises(UsageError, match=r"holds letter.txt, which is no part of a set of shards"):
        imported(data, out=tmp_path / "out")
    imported(data, out=tmp_path / "shards")
    before = files_of(tmp_path / "shards")
    write(data, many(5))
    with pytest.raises(UsageError, match="holds shards of another data set"):
        imported(data, label_pattern="^(?P<label>[^_]+)", out=tmp_path / "shards")
    assert files_of(tmp_path / "shards") == before
