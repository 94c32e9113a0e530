"""A worker process that answers one call after another, and how its results come back.

Note: arrays are not sent through the socket. That costs some 45 us an image on both sides together, a tenth of what
rendering it costs; a copy into shared memory and one out of it cost 1 us. So the buffers of a result (pickle protocol
5) are copied to a buffer that both processes share, with a slot for each call that may be under way, and only the rest
is sent.

When one process ends, even by SIGKILL, its end of the socket pair is closed: so the parent learns that the worker died,
and the worker that its parent did.
"""

import mmap
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, count, pairwise
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from shared.system.linux import open_shared_buffer

_SLOT_BYTES = 8 << 20  # Uses memory only where it is written to. A result that does not fit is sent.
_ORPHANED = threading.Event()

Fork = Callable[[int, int, int], Callable[[], int]]
"""Starts a process that runs `answer_calls` with these arguments, and does not wait.

Gives what waits for its end and returns its exit status.
"""


class Worker:
    """A process that holds up to `num_slots` calls. For use by one thread."""

    def __init__(self, fork: Fork, num_slots: int) -> None:
        """Has it started, and does not wait; `OSError` when there can be no more files."""
        ours, theirs = socket.socketpair()
        try:
            shared_buffer = open_shared_buffer(num_slots * _SLOT_BYTES)
        except OSError:
            ours.close()
            theirs.close()
            raise
        try:
            self._slots = _slots(shared_buffer, num_slots)
            self._wait = fork(theirs.fileno(), shared_buffer, num_slots)
        except OSError:
            ours.close()
            raise
        finally:
            os.close(shared_buffer)
            theirs.close()
        self._connection = Connection(ours.detach())
        self._num_answers = 0

    def send(self, call: bytes) -> None:
        """Gives it another pickled (function, arguments, keyword arguments). If it has died, `receive` raises."""
        with suppress(OSError):
            self._connection.send_bytes(call)

    def receive(self) -> tuple[bool, Any]:
        """Waits for the result of the oldest call: (True, result) or (False, exception).

        Raises `EOFError` or `OSError` if the process died. Arrays in the result are read-only.
        """
        answer, ends = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own worker wrote it.
        slot = self._slots[self._num_answers % len(self._slots)]
        self._num_answers += 1
        buffers = [bytes(slot[start:end]) for start, end in pairwise(ends)]
        try:
            succeeded, value = pickle.loads(answer, buffers=buffers)  # noqa: S301
        except Exception as error:  # It cannot be built again from its arguments.
            return False, error
        return succeeded, value

    def stop(self) -> int:
        """Closes the connection, which ends the process, and waits for that; returns the exit status."""
        self._connection.close()
        return self._wait()


def answer_calls(handle: int, shared_buffer: int, num_slots: int) -> None:
    """What the worker process runs, until the parent closes the connection or dies."""
    connection, slots = Connection(handle), _slots(shared_buffer, num_slots)
    calls: SimpleQueue[bytes | None] = SimpleQueue()
    # Read as they come: a parent that sends a large call while this sends a large answer would wait for ever.
    threading.Thread(target=_receive_calls, args=(connection, calls), daemon=True).start()
    with suppress(OSError):
        for number in count():
            call = calls.get()
            if call is None:
                return
            connection.send_bytes(_pack(_call(call), slots[number % num_slots]))


def is_orphaned() -> bool:
    """Whether this is a worker, and the process that gave it its calls is gone."""
    return _ORPHANED.is_set()


def _receive_calls(connection: Connection, calls: "SimpleQueue[bytes | None]") -> None:
    """Ends with None when the parent is gone."""
    with suppress(EOFError, OSError):
        while True:
            calls.put(connection.recv_bytes())
    _ORPHANED.set()
    calls.put(None)


def _call(call: bytes) -> tuple[bool, Any]:
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - our own parent wrote it.
        return True, function(*args, **kwargs)
    except Exception as error:
        error.add_note(f"In a worker process: {traceback.format_exc()}")  # The traceback itself cannot be pickled.
        return False, error


def _pack(outcome: tuple[bool, Any], slot: memoryview) -> bytes:
    """The outcome as `receive` reads it: (pickle, where its buffers begin and end in the slot)."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        answer = pickle.dumps(outcome, protocol=5, buffer_callback=buffers.append)
    except Exception as error:
        return pickle.dumps((pickle.dumps((False, error)), []))
    parts = [buffer.raw() for buffer in buffers]
    ends = list(accumulate((len(part) for part in parts), initial=0))
    if ends[-1] > len(slot):
        return pickle.dumps((pickle.dumps(outcome), []))
    for part, (start, end) in zip(parts, pairwise(ends), strict=True):
        slot[start:end] = part
    return pickle.dumps((answer, ends))


def _slots(shared_buffer: int, num_slots: int) -> list[memoryview]:
    view = memoryview(mmap.mmap(shared_buffer, num_slots * _SLOT_BYTES))
    return [view[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES] for number in range(num_slots)]
