"""The time left, from the second step on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.progress.remaining_time import RemainingTime


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_step_contains_the_compilation_and_says_nothing() -> None:
    clock = Clock()
    remaining = RemainingTime(clock)
    assert not remaining.has_begun
    clock.now += 30
    remaining.step(1)
    assert remaining.has_begun
    assert remaining.seconds(1000) is None
    clock.now += 0.5
    remaining.step(2)
    assert remaining.seconds(1000) == pytest.approx(499)
    clock.now += 9
    assert remaining.seconds(1000) == pytest.approx(490)


@given(st.floats(0.01, 20), st.integers(2, 400), st.integers(0, 1000))
def test_even_steps_give_their_time_from_anywhere_in_a_run(step_s: float, num_done: int, resumed_at: int) -> None:
    clock = Clock()
    remaining = RemainingTime(clock)
    for done in range(resumed_at + 1, resumed_at + num_done + 1):
        remaining.step(done)
        clock.now += step_s
    left = remaining.seconds(resumed_at + num_done + 50)
    assert left == pytest.approx(49 * step_s)


def test_an_estimate_forgets_what_is_more_than_a_minute_of_steps_ago() -> None:
    clock = Clock()
    remaining = RemainingTime(clock)
    for done in range(1, 1000):
        clock.now += 10 if done < 100 else 1
        remaining.step(done)
    assert remaining.seconds(1009) == pytest.approx(10)
