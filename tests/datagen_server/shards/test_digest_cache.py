import hashlib
import os
from pathlib import Path

import pytest

from datagen_server.shards import digest_cache


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(path: Path) -> Path:
    return path.parent / digest_cache.CACHE_NAME / "file.json"


def test_the_digest_is_right_and_stored(path: Path) -> None:
    assert digest_cache.sha256_of(path) == sha256(path)
    assert entry(path).exists()
    assert digest_cache.sha256_of(path) == sha256(path)


def test_a_file_with_an_entry_is_not_read_again(path: Path) -> None:
    digest_cache.compute(path)
    entry(path).write_text(entry(path).read_text().replace(sha256(path), "0" * 64))
    assert digest_cache.sha256_of(path) == "0" * 64


def test_an_entry_says_intact_only_when_the_caller_knew(path: Path) -> None:
    digest_cache.compute(path)
    assert digest_cache.is_still_intact(path) is None
    digest_cache.compute(path, intact=True)
    assert digest_cache.is_still_intact(path) is True


def test_whatever_is_done_to_a_file_its_note_no_longer_holds(path: Path, tmp_path: Path) -> None:
    def overwrite_keeping_the_time() -> None:
        stat = path.stat()
        path.write_bytes(b"CONTENT")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def replace() -> None:
        (tmp_path / "other").write_bytes(b"another")
        os.replace(tmp_path / "other", path)

    for change in (overwrite_keeping_the_time, replace, lambda: os.truncate(path, 3)):
        digest_cache.compute(path, intact=True)
        change()
        assert digest_cache.sha256_of(path) == sha256(path)


def test_a_changed_file_is_not_what_was_noted_and_its_old_content_is(path: Path) -> None:
    digest_cache.compute(path, intact=True)
    path.write_bytes(b"content")
    assert digest_cache.is_still_intact(path) is True
    path.write_bytes(b"CONTENT")
    assert digest_cache.is_still_intact(path) is False
    assert digest_cache.is_still_intact(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "{}", "null"])
def test_a_damaged_note_is_no_note(path: Path, text: str) -> None:
    digest_cache.compute(path)
    entry(path).write_text(text)
    assert digest_cache.sha256_of(path) == sha256(path)
