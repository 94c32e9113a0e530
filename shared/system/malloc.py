"""Memory for one batch after another: the C library is told once to keep blocks of that size.

What surprises: glibc hands a freed block of 2 MB back to the kernel, and the next one costs 500 page faults again. For
the reader of a stream those were a third of its processor time. glibc learns from what it sees freed: a block that came
from the kernel raises the size from which it asks the kernel, up to 32 MiB, and keeps twice that much when it is free.
So one large block, never written to, teaches it. An environment that sets MALLOC_* itself stays as it is; other C
libraries do not mind.
"""

_LARGEST_KEPT_BYTES = 31 << 20


def keep_freed_blocks() -> None:
    """Makes freed blocks of up to 31 MiB stay with this process; at most 62 MiB of them lie idle in each heap."""
    bytes(_LARGEST_KEPT_BYTES)
