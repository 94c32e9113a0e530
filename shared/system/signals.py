"""Ctrl-C and SIGTERM: the first one asks, the second one has its usual effect."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_call(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Within the block the first Ctrl-C or SIGTERM calls `stop`; yields the list that it is then noted in."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

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
