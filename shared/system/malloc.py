"""malloc of the C library: makes it keep freed blocks of the size of a batch for the next batch.

By default glibc returns a freed block of 2 MB to the kernel, and the next such block costs 500 page faults again. They
were a third of the processor time of a client that reads a stream. glibc adapts its threshold: freeing one block that
came from the kernel raises the size from which it asks the kernel, up to 32 MiB, and lets it keep twice that much free
memory. So one large block, never written to, is allocated and freed. Where MALLOC_* is set in the environment, and in
other C libraries, this has no effect.
"""

import ctypes
import mmap
from pathlib import Path

_LARGEST_KEPT_BYTES = 31 << 20
_M_ARENA_MAX = -8
"Of `mallopt`, from the C library's malloc.h."


def keep_freed_blocks() -> None:
    """Makes this process keep freed blocks of up to 31 MiB; at most 62 MiB of free memory stay in each heap."""
    bytes(_LARGEST_KEPT_BYTES)


def use_one_heap() -> None:
    """Lets all threads of this process share one heap, so that freed blocks of one thread serve the others.

    To be called before threads start. Each heap keeps freed blocks of its own: 120 readers that stalled at batches of
    15 MB held 1,470 MB of a budget of 1,024 with a heap for every few threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back_freed() -> None:
    """Hands freed memory back to the kernel, which takes some milliseconds; nothing where the C library cannot."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_bytes() -> int:
    """What this process has in memory now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0
