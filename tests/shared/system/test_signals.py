"""Ctrl-C, SIGTERM and a lost terminal stop a command in an orderly way, or wait."""

import os
import signal
import threading

import pytest

from shared.system.signals import stop_on_signal, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_and_the_second_has_its_usual_effect(number: signal.Signals) -> None:
    reached: list[str] = []
    before = signal.signal(number, lambda *_: reached.append("usual"))
    try:
        with stop_on_signal(lambda: reached.append("stop")) as received:
            assert received == []
            os.kill(os.getpid(), number)
            assert received == [number]
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)
    assert reached == ["stop", "usual"]
    assert received == [number]


def test_a_signal_stops_even_while_the_main_thread_handles_none() -> None:
    """As while it waits in a library: here the signal goes to another thread, which wakes nobody."""
    stopped, done = threading.Event(), threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with stop_on_signal(stopped.set) as received:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopped.wait(20)
        assert received == [signal.SIGTERM]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        done.set()
        other.join()


def test_without_a_signal_nothing_stops_and_the_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signal(lambda: pytest.fail("stopped")) as received:
        pass
    assert received == []
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_command_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal(lambda: pytest.fail("stopped")), uninterrupted():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
