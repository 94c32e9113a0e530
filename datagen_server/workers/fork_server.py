"""A process that has imported what workers need, and is copied for each: that takes some milliseconds, importing 250.

The copies share its memory until they write to it. It runs one thread, since a copy has only the thread that forked.

Why not the fork server of `multiprocessing`: that is one for the whole program, with one list of modules, and its
workers import the program's main module again.
"""

import gc
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from datagen_server.workers.worker import answer_calls

_SIZE = struct.Struct("<Q")
_REQUEST = struct.Struct("<ii")  # A worker's number, its slots: 0 to wait for its end, else to fork it.
_STATUS = struct.Struct("<i")


class ForkServer:
    """Such a process. For use by several threads."""

    def __init__(self, warm_up: Callable[[], object]) -> None:
        """Starts it, with `warm_up` as its first call, and does not wait; `OSError` when no process can be started."""
        ours, theirs = socket.socketpair()
        try:
            self._process = _start(theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._control, self._lock, self._num_workers = ours, threading.Lock(), 0
        call = pickle.dumps(warm_up)
        with suppress(OSError):  # It has ended: its workers' connections say so.
            ours.sendall(_SIZE.pack(len(call)) + call)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def fork(self, connection: int, shared_buffer: int, num_slots: int) -> Callable[[], int]:
        """See `worker.Fork`. When this process itself has ended, the exit status is its own."""
        with self._lock:
            number, self._num_workers = self._num_workers, self._num_workers + 1
            with suppress(OSError):
                socket.send_fds(self._control, [_REQUEST.pack(number, num_slots)], [connection, shared_buffer])
            return partial(self._wait, number)

    def stop(self) -> None:
        """Ends it; to be called after the ends of its workers."""
        self._control.close()
        self._process.wait()

    def _wait(self, number: int) -> int:
        with self._lock:
            with suppress(OSError):
                self._control.sendall(_REQUEST.pack(number, 0))
                if answer := self._control.recv(_STATUS.size):
                    (status,) = _STATUS.unpack(answer)
                    return int(status)
            return self._process.wait()


def _start(control: int) -> "subprocess.Popen[bytes]":
    path = [entry or "." for entry in sys.path]
    # Otherwise NumPy's BLAS starts a thread for each core, with memory of its own: 60 ms, for nothing.
    code = "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; "
    code += f"sys.path[:] = {path!r}; from datagen_server.workers.fork_server import answer_requests; "
    code += f"answer_requests({control})"
    # A session of its own: Ctrl-C in the terminal goes to the parent alone.
    return subprocess.Popen([sys.executable, "-c", code], pass_fds=[control], start_new_session=True)


def answer_requests(handle: int) -> None:
    """What the process runs, until its parent closes the connection or dies."""
    with socket.socket(fileno=handle) as control:
        size = control.recv(_SIZE.size, socket.MSG_WAITALL)
        if len(size) < _SIZE.size:
            return
        call = control.recv(_SIZE.unpack(size)[0], socket.MSG_WAITALL)
        pickle.loads(call)()  # noqa: S301 - our own parent wrote it.
        gc.freeze()  # A collection writes to all objects that it looks at, and so copies their memory.
        workers: dict[int, int] = {}
        while True:
            request, files, _, _ = socket.recv_fds(control, _REQUEST.size, 2)
            if not request:
                return
            number, num_slots = _REQUEST.unpack(request)
            if num_slots:
                workers[number] = _fork(control, files, num_slots)
            else:  # One that was never asked for, since its files could not be sent, has ended too.
                control.sendall(_STATUS.pack(_exit_status(workers.get(number, 0))))


def _fork(control: socket.socket, files: list[int], num_slots: int) -> int:
    """The process number; 0 when there can be no more processes."""
    try:
        process = os.fork()
    except OSError:
        process = 0
    else:
        if not process:
            control.close()
            _be_worker(files, num_slots)
    for file in files:
        os.close(file)
    return process


def _be_worker(files: list[int], num_slots: int) -> None:
    """Does not return: the copy must not go on as the original."""
    status = 1
    try:
        connection, shared_buffer = files
        answer_calls(connection, shared_buffer, num_slots)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _exit_status(process: int) -> int:
    """Of a worker, once it has ended; as `subprocess` has them, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) if process else os.EX_OSERR
