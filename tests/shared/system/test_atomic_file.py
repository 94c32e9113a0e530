"""Files are complete or not there, whatever stops their writer."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import StreamingError
from shared.system.atomic_file import atomic_path, partial_path, remove_partial_files, sync, write_atomic, write_error


@pytest.mark.parametrize("data", [b"\x00new", "neu: ä"])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path, data: bytes | str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old and longer than the new one")
    write_atomic(path, data)
    assert path.read_bytes() == (data if isinstance(data, bytes) else data.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is a device or a pipe, not a file"):
        write_atomic(path, "page")
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    folder, link = tmp_path / "elsewhere", tmp_path / "report.json"
    folder.mkdir()
    link.symlink_to(folder / "real.json")
    for text in ("first", "second"):
        write_atomic(link, text)
        assert (link.is_symlink(), (folder / "real.json").read_text()) == (True, text)


def fail_half_way(path: Path) -> None:
    with atomic_path(path) as partial:
        partial.write_text("half a fi")
        raise ZeroDivisionError


def test_an_error_while_writing_leaves_the_old_file_and_no_partial_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    for name in ("kept", "failed"):
        try:
            with atomic_path(tmp_path / name) as partial:
                partial.mkdir()
                (partial / "picture.png").write_bytes(b"png")
                if name == "failed":
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "picture.png"]


def test_two_writers_of_one_file_never_share_a_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.ckpt"
    assert len({partial_path(path) for _ in range(1000)}) == 1000
    with atomic_path(path) as slow:
        slow.write_text("slow")
        with atomic_path(path) as fast:
            fast.write_text("fast")
        assert path.read_text() == "fast"
    assert path.read_text() == "slow"


def test_a_library_that_adds_a_suffix_finds_it_there_already(tmp_path: Path) -> None:
    partial = partial_path(tmp_path / "weights.ckpt", keep_suffix=True)
    assert partial.suffix == ".ckpt"
    assert partial.name.startswith(".")


def test_what_a_killed_writer_left_is_removed_by_the_next_owner(tmp_path: Path) -> None:
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from shared.system.atomic_file import atomic_path
        for name, keep_suffix in (("train.lmdb", False), ("weights.ckpt", True), ("thesis.tex", False)):
            if not os.fork():
                with atomic_path(Path(sys.argv[1]) / name, keep_suffix=keep_suffix) as partial:
                    partial.write_text("half")
                    os.kill(os.getpid(), signal.SIGKILL)
            os.wait()
    """
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    (tmp_path / ".train.lmdb.4711.partial").write_text("of an earlier version, whose names held no random part")
    (tmp_path / ".partial").write_text("not made here")
    assert len(list(tmp_path.iterdir())) == 5
    remove_partial_files(tmp_path, lambda name: name in ("train.lmdb", "weights.ckpt"))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left[0] == ".partial"
    assert [name.split(".")[1] for name in left[1:]] == ["thesis"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_directories_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", refuse)
    sync(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=os.strerror(code)):
        sync(tmp_path / "file")


def test_a_failing_disk_is_not_taken_for_a_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, error = tmp_path / "a.lmdb", OSError(errno.EIO, "Input/output error")
    assert "cannot write" in str(write_error(path, error))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    failure = write_error(path, error)
    assert isinstance(failure, StreamingError)
    assert str(failure) == f"no space left for {path} (1,000 bytes free); make room and run it again"
