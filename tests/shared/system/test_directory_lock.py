"""A directory has one writer at a time, and a killed one does not keep the others out."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.system.directory_lock import lock_directory, make_directory

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
