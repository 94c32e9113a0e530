"""Ctrl-C, SIGTERM, a lost terminal: stop in an orderly way at the first one, or wait for the end of a short block."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@contextmanager
def stop_on_signal(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Within the block the first Ctrl-C, SIGTERM or SIGHUP calls `stop`; a second one has its usual effect.

    A lost terminal sends SIGHUP; where it is ignored, as `nohup` has it, it stays so.

    Yields a list that then holds the signal's number, and is empty as long as none has come.
    """
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    if before[signal.SIGHUP] == signal.SIG_IGN:
        del before[signal.SIGHUP]

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()
        stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, handle)
    try:
        yield received
    finally:
        restore()


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
