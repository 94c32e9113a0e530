"""Files read again when they change."""

from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.security.file_watch import WatchedFiles, read_small


def number_in(file: Path) -> int:
    text = read_small(file, "number")
    if not text.isdigit():
        raise UsageError(f"{file} must hold a number")
    return int(text)


def test_a_change_is_seen_a_bad_one_is_logged_once_and_nothing_is_read_without_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, num_read = tmp_path / "number", 0

    def read() -> int:
        nonlocal num_read
        num_read += 1
        return number_in(file)

    file.write_text("1")
    watched = WatchedFiles([file], read)
    assert [watched.current() for _ in range(3)] == [1, 1, 1]
    assert num_read == 1
    file.write_text("22")
    assert [watched.current() for _ in range(3)] == [22, 22, 22]
    file.write_text("bad")
    assert [watched.current() for _ in range(3)] == [22, 22, 22]
    assert caplog.messages == [f"{file} must hold a number; what was read before stays in use"]
    file.unlink()
    assert watched.current() == 22
    assert caplog.messages[1].startswith(f"cannot read the number file {file}")
    file.write_text("4444")
    assert watched.current() == 4444


def test_a_file_that_is_replaced_by_one_of_the_same_size_is_seen(tmp_path: Path) -> None:
    file, fresh = tmp_path / "number", tmp_path / "fresh"
    file.write_text("1")
    watched = WatchedFiles([file], lambda: number_in(file))
    fresh.write_text("2")
    fresh.replace(file)
    assert watched.current() == 2


def test_the_first_reading_must_succeed(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("x")
    with pytest.raises(UsageError):
        WatchedFiles([file], lambda: number_in(file))
