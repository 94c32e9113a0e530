"""Ctrl-C, SIGTERM, a lost terminal: stop in an orderly way at the first one, or wait for the end of a short block."""

import os
import signal
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
_HANDLED_WITHIN_S = 0.5


def end_at_once_on_interrupt() -> None:
    """Ctrl-C ends this process without a word, as long as it only imports. `interrupted_by_signal` ends that state.

    Where Ctrl-C is ignored, as in a shell's background job, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def interrupted_by_signal() -> Iterator[list[int]]:
    """Within the block Ctrl-C and SIGTERM raise `KeyboardInterrupt`, unless something else is set up for them.

    So what is half done is removed, and what was started is stopped. Yields a list that then holds the signal's number:
    a library that is just being imported may turn the `KeyboardInterrupt` into an error of its own.
    """
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    usual = {signal.SIGINT: (signal.SIG_DFL, signal.default_int_handler), signal.SIGTERM: (signal.SIG_DFL,)}
    before = {number: signal.getsignal(number) for number in usual}
    changed = {number: handler for number, handler in before.items() if handler in usual[number]}
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signal(stop: Callable[[], None], signals: Sequence[signal.Signals] = _SIGNALS) -> Iterator[list[int]]:
    """Within the block the first Ctrl-C, SIGTERM or SIGHUP calls `stop`; a second one has its usual effect.

    A lost terminal sends SIGHUP; where it is ignored, as `nohup` has it, it stays so. While this thread waits in a
    library, where Python handles no signal, `stop` is called in another thread: it may be what ends the wait.

    Yields a list that then holds the signal's number, and is empty as long as none has come.
    """
    received: list[int] = []
    first = threading.Lock()
    before = {number: signal.getsignal(number) for number in signals}
    if before.get(signal.SIGHUP) == signal.SIG_IGN:
        del before[signal.SIGHUP]

    def stop_once() -> None:
        if first.acquire(blocking=False):
            stop()

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()
        stop_once()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, handle)
    try:
        with _watched(before, stop_once):
            yield received
    finally:
        restore()


@contextmanager
def _watched(numbers: Container[int], stop_once: Callable[[], None]) -> Iterator[None]:
    """Within the block a thread calls `stop_once` for a signal that the main thread has not handled in a moment."""

    def watch() -> None:
        while number := os.read(read, 1):
            if number[0] in numbers:
                time.sleep(_HANDLED_WITHIN_S)
                stop_once()

    read, write = os.pipe()
    os.set_blocking(write, False)
    thread = threading.Thread(target=watch, name="watch-signals", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(write)
        thread.join()
        os.close(read)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """These signals take effect at the end of the block. For a few seconds of work that must not be interrupted.

    Importing MindSpore is such work (an interrupt aborts the process), and so is compiling (it leaves files behind).
    """
    received: list[int] = []
    before = [signal.signal(number, lambda got, _: received.append(got)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])
