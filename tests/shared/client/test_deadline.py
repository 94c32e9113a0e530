"""A call is cancelled when its reader waits too long for one message, and only then."""

import time
from collections.abc import Iterator

import pytest

from shared.client.deadline import TimedCall


class Messages:
    """A call whose messages come when its test says so."""

    def __init__(self, timed: list[TimedCall], delay_s: float) -> None:
        self._timed, self._delay_s = timed, delay_s
        self.is_cancelled = False

    def __iter__(self) -> Iterator[bytes]:
        for message in (b"a", b"b"):
            time.sleep(self._delay_s)
            self._timed[0].check()
            yield message

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.mark.parametrize(("timeout_s", "is_late"), [(0.0, True), (60.0, False)])
def test_the_wait_for_one_message_has_a_limit(timeout_s: float, is_late: bool) -> None:
    timed: list[TimedCall] = []
    call = Messages(timed, delay_s=0.001)
    timed.append(TimedCall(call, timeout_s))
    assert list(timed[0]) == [b"a", b"b"]
    assert call.is_cancelled is timed[0].is_expired is is_late


def test_the_time_in_which_nobody_waits_does_not_count() -> None:
    timed: list[TimedCall] = []
    call = Messages(timed, delay_s=0.0)
    timed.append(TimedCall(call, 0.25))
    for _ in timed[0]:
        time.sleep(0.3)
        timed[0].check()
    timed[0].check()
    assert not call.is_cancelled
