"""What only Linux has, each with a portable way beside it: macOS and other systems get the same results, more slowly.

Looked up at each call, not when this module is imported, so that a test can take any of it away.
"""

import ctypes
import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PARENT_CHECK_INTERVAL_S = 0.5


def num_bound_cores() -> int:
    """The cores that this process is bound to; elsewhere all cores of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def die_with_parent(parent: int) -> None:
    """Has this process killed when the process `parent`, which started it, ends, in whatever way it ends.

    The kernel does that at once; elsewhere a thread looks twice a second whether there is another parent.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # It ended before the call.
            os.kill(os.getpid(), signal.SIGKILL)
        return
    threading.Thread(target=_wait_for_end_of, args=(parent,), name="parent", daemon=True).start()


def open_shared_buffer(size: int) -> int:
    """A file of `size` bytes without a name, to map and to pass on: in memory; elsewhere a temporary file."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("shared-buffer")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        os.ftruncate(fd, size)
    except OSError:
        os.close(fd)
        raise
    return fd


def read_into(fd: int, buffers: Sequence[memoryview], offset: int, *, wait: bool) -> int:
    """Reads from `offset` into `buffers`, one after the other; returns the number of bytes. Raises `OSError`.

    wait: for the disk; False: only what is in memory is read. Where the system cannot do that, it waits.
    """
    if hasattr(os, "preadv"):
        return os.preadv(fd, buffers, offset, 0 if wait else getattr(os, "RWF_NOWAIT", 0))
    num_read = 0
    for buffer in buffers:
        data = os.pread(fd, len(buffer), offset + num_read)
        buffer[: len(data)] = data
        num_read += len(data)
        if len(data) < len(buffer):
            break
    return num_read


def expect_read(fd: int, offset: int, size: int) -> None:
    """Asks the disk for these bytes and does not wait for them; elsewhere they are read when they are needed."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, offset, size, os.POSIX_FADV_WILLNEED)


def _wait_for_end_of(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGKILL)
