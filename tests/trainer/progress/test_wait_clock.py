"""The clock of waits for data."""

from time import perf_counter

import pytest

from trainer.progress.wait_clock import WaitClock


def test_a_wait_counts_while_it_lasts() -> None:
    clock = WaitClock()
    assert clock.seconds(perf_counter()) == (0, 0)
    started = clock.begin()
    assert clock.seconds(started + 60) == pytest.approx((60, 60))
    took_s = clock.end()
    assert clock.seconds(perf_counter() + 60) == (took_s, 0)
