"""A process that answers one call after another, and how its results come back.

What surprises: arrays do not travel through the socket. That costs some 45 us a picture, both sides together, a tenth
of rendering it; a copy into shared memory and one out of it cost 1 us. So the buffers of an answer (pickle protocol 5)
lie on a desk of shared memory, with a slot for each call that may be under way, and only the rest is sent.

The socket pair is the leash as well: its end tells the parent that the worker died, and the worker that its parent did,
even by SIGKILL.
"""

import mmap
import os
import pickle
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, count, pairwise
from multiprocessing.connection import Connection
from typing import Any

_SLOT_BYTES = 8 << 20  # Memory only where it is written to. What does not fit is sent.


class Worker:
    """A fresh interpreter that holds up to `num_slots` calls. To be used by one thread."""

    def __init__(self, warm_up: Callable[[], object], num_slots: int) -> None:
        """Starts it, to call `warm_up` first, and does not wait. Raises `OSError` where no process can be started."""
        ours, theirs = socket.socketpair()
        desk = os.memfd_create("desk")
        try:
            os.ftruncate(desk, num_slots * _SLOT_BYTES)
            self._slots = _slots(desk, num_slots)
            self._process = _start(theirs.fileno(), desk, num_slots)
        except OSError:
            ours.close()
            raise
        finally:
            os.close(desk)
            theirs.close()
        self._connection = Connection(ours.detach())
        self._num_answers = 0
        self.send(pickle.dumps(warm_up))

    def send(self, call: bytes) -> None:
        """Gives it another pickled (function, arguments, keyword arguments). If it has died, `receive` tells."""
        with suppress(OSError):
            self._connection.send_bytes(call)

    def receive(self) -> tuple[bool, Any]:
        """Waits for the oldest call: True and its result, or False and its exception.

        Raises `EOFError` or `OSError` if the process died. Arrays in the result are read-only.
        """
        answer, ends = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own worker wrote it.
        slot = self._slots[self._num_answers % len(self._slots)]
        self._num_answers += 1
        buffers = [bytes(slot[start:end]) for start, end in pairwise(ends)]
        try:
            good, value = pickle.loads(answer, buffers=buffers)  # noqa: S301
        except Exception as error:  # An exception that cannot be built from its arguments.
            return False, error
        return good, value

    def stop(self) -> int:
        """Lets the process go and waits for its end; returns its exit status."""
        self._connection.close()
        return self._process.wait()


def _start(connection: int, desk: int, num_slots: int) -> "subprocess.Popen[bytes]":
    path = [entry or "." for entry in sys.path]
    # NumPy's BLAS would start a thread for each core and memory for each thread: 60 ms, and nobody here multiplies.
    code = "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; "
    code += f"sys.path[:] = {path!r}; from datagen_server.workers.worker import work; "
    code += f"work({connection}, {desk}, {num_slots})"
    # A session of its own: Ctrl-C in the terminal is for the parent alone.
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, pass_fds=[connection, desk], start_new_session=True)


def work(handle: int, desk: int, num_slots: int) -> None:
    """A worker's life, until the parent lets go or dies."""
    connection, slots = Connection(handle), _slots(desk, num_slots)
    with suppress(EOFError, OSError):
        pickle.loads(connection.recv_bytes())()  # noqa: S301 - our own parent wrote it.
        for number in count():
            outcome = _perform(connection.recv_bytes())
            connection.send_bytes(_answer(outcome, slots[number % num_slots]))


def _perform(call: bytes) -> tuple[bool, Any]:
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - our own parent wrote it.
        return True, function(*args, **kwargs)
    except Exception as error:
        error.add_note(f"In a worker process: {traceback.format_exc()}")  # The traceback itself cannot be pickled.
        return False, error


def _answer(outcome: tuple[bool, Any], slot: memoryview) -> bytes:
    """The outcome as `receive` reads it: (pickle, where its buffers begin and end on the slot)."""
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


def _slots(desk: int, num_slots: int) -> list[memoryview]:
    view = memoryview(mmap.mmap(desk, num_slots * _SLOT_BYTES))
    return [view[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES] for number in range(num_slots)]
