"""A directory has one writer at a time, and a killed one does not keep the others out."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.system.directory_lock import check_writable, lock_directory, made_and_locked, make_directory

HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from shared.system.directory_lock import lock_directory
    with lock_directory(Path(sys.argv[1])):
        print("locked", flush=True)
        time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_one_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(UsageError, match="another process is at work in"), lock_directory(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    with lock_directory(tmp_path):
        pass


def test_directories_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot make the directory .*file/c"):
        make_directory(tmp_path / "file" / "c")
    with pytest.raises(UsageError, match=r"cannot open the directory .*gone"), lock_directory(tmp_path / "gone"):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF])
def test_a_file_system_without_locks_costs_a_warning_and_no_more(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with caplog.at_level(logging.WARNING), lock_directory(tmp_path):
        pass
    assert "has no locks" in caplog.text
    assert str(tmp_path) in caplog.text


def test_a_directory_made_for_an_owner_that_writes_nothing_is_removed_again(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "run"
    with made_and_locked(directory):
        assert directory.is_dir()
        with pytest.raises(UsageError, match="another process is at work in"), made_and_locked(directory):
            pass
    assert not list(tmp_path.iterdir())
    with made_and_locked(directory):
        (directory / "file").touch()
    with made_and_locked(directory):
        pass
    assert (directory / "file").exists()


def test_what_cannot_be_written_is_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "not" / "yet" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write .*file/below: .*file is not a directory"):
        check_writable(tmp_path / "file" / "below")
    monkeypatch.setattr(os, "access", lambda *_: False)  # Nothing is forbidden to root, who may run this test.
    with pytest.raises(UsageError, match=r"cannot write .*there: no permission to write"):
        check_writable(tmp_path / "there")
