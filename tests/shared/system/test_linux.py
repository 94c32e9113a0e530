"""What only Linux has, with it and without it: the same results."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.system.linux import expect_read, num_bound_cores, open_shared_buffer, read_into

ONLY_ON_LINUX = "sched_getaffinity", "memfd_create", "preadv", "RWF_NOWAIT", "posix_fadvise"
DIES_WITH_PARENT = """if True:
    import ctypes, os, sys, time
    from shared.system.linux import die_with_parent
    class Library:
        def __init__(self, name): pass
    if sys.argv[1] == "elsewhere":
        ctypes.CDLL = Library
    die_with_parent(os.getppid())
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["Linux", "elsewhere"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "elsewhere":
        for name in ONLY_ON_LINUX:
            monkeypatch.delattr(os, name)
    return str(request.param)


def test_cores_are_counted(system: str) -> None:
    assert 1 <= num_bound_cores() <= (os.cpu_count() or 1)


def test_a_shared_buffer_holds_what_was_written(system: str) -> None:
    fd = open_shared_buffer(8192)
    try:
        assert os.fstat(fd).st_size == 8192
        os.pwrite(fd, b"text", 4096)
        assert os.pread(fd, 4, 4096) == b"text"
    finally:
        os.close(fd)


@pytest.mark.parametrize("wait", [True, False])
def test_bytes_are_read_into_several_buffers(system: str, wait: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    fd = os.open(file, os.O_RDONLY)
    try:
        expect_read(fd, 0, 10)
        first, second = bytearray(3), bytearray(4)
        assert read_into(fd, (memoryview(first), memoryview(second)), 2, wait=wait) == 7
        assert bytes(first + second) == b"2345678"
        assert read_into(fd, (memoryview(first), memoryview(second)), 8, wait=True) == 2
        assert bytes(first[:2]) == b"89"
    finally:
        os.close(fd)


@pytest.mark.parametrize("where", ["Linux", "elsewhere"])
def test_a_process_dies_with_its_parent(where: str) -> None:
    code = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]); child.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", code, DIES_WITH_PARENT, where], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip().isdigit()
        parent.kill()
        assert not parent.stdout.read()  # Ends when the child, which holds the other end, has died.


def test_the_library_of_this_machine_is_the_real_one() -> None:
    assert hasattr(ctypes.CDLL(None), "prctl") == (sys.platform == "linux")
