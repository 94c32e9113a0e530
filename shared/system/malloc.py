"""malloc of the C library: makes it keep freed blocks of the size of a batch for the next batch.

By default glibc returns a freed block of 2 MB to the kernel, and the next such block costs 500 page faults again. They
were a third of the processor time of a client that reads a stream. glibc adapts its threshold: freeing one block that
came from the kernel raises the size from which it asks the kernel, up to 32 MiB, and lets it keep twice that much free
memory. So one large block, never written to, is allocated and freed. Where MALLOC_* is set in the environment, and in
other C libraries, this has no effect.
"""

_LARGEST_KEPT_BYTES = 31 << 20


def keep_freed_blocks() -> None:
    """Makes this process keep freed blocks of up to 31 MiB; at most 62 MiB of free memory stay in each heap."""
    bytes(_LARGEST_KEPT_BYTES)
