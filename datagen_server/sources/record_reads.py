"""The records of one batch, read into one buffer: first those that are in memory, then those that are not."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from datagen_server.shards.shard_file import ShardFile


class RecordReads:
    """Reads the records of `indices`, each from its file; None for a file that is not there.

    To be used by one thread at a time. `read_cached` may be left out.
    """

    def __init__(self, files: Sequence[ShardFile | None], indices: Sequence[int], header_bytes: int) -> None:
        places = [file.place(index) if file else (0, 0) for file, index in zip(files, indices, strict=True)]
        ends = list(accumulate((size for _, size in places), initial=0))
        self.indices = indices
        self.joined = np.empty(ends[-1], np.uint8).data
        "All payloads, one after the other."
        payloads = [self.joined[end - size : end] for end, (_, size) in zip(ends[1:], places, strict=True)]
        self.payloads: list[bytes | memoryview] = [*payloads]
        "Each payload's part of `joined`."
        self.headers = np.empty((len(indices), header_bytes), np.uint8)
        "[n, header_bytes]"
        views = self.headers.reshape(-1).data
        header_views = [views[start : start + header_bytes] for start in range(0, self.headers.size, header_bytes)]
        self._records = list(zip(files, indices, places, header_views, payloads, strict=True))
        self._left: Sequence[int] | None = None

    def read_cached(self) -> bool:
        """Reads what is in memory, without waiting for the disk; whether that was all, intact."""
        self._left = self._read(range(len(self._records)), wait=False)
        return not self._left

    def read_rest(self) -> Sequence[int]:
        """Reads what is left, and waits for the disk; the places in the batch of the records that are damaged."""
        left = self._read(range(len(self._records)), wait=False) if self._left is None else self._left
        for number in left:
            file, _, place, _, _ = self._records[number]
            if file:
                file.expect(*place)
        return self._read(left, wait=True)

    def _read(self, numbers: Sequence[int], *, wait: bool) -> Sequence[int]:
        """Reads these of the records; which of them could not be read."""
        # Once a sample, so without a call more than reading and checking it takes.
        return [
            number
            for number in numbers
            for file, index, (offset, size), header, payload in (self._records[number],)
            if not (file and size and file.fetch(index, offset, header, payload, wait=wait))
        ]
