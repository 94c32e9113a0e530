"""How commands end and what they print while they run."""

import os
import signal

import pytest

from shared.system.command_line import uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_an_uninterrupted_block(number: signal.Signals) -> None:
    reached: list[str] = []
    before = signal.signal(number, lambda *_: reached.append("handler"))
    try:
        with uninterrupted():
            os.kill(os.getpid(), number)
            reached.append("end of block")
    finally:
        signal.signal(number, before)
    assert reached == ["end of block", "handler"]


def test_an_uninterrupted_block_leaves_the_handlers_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
