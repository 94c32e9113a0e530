"""A call's size follows how fast its steps are consumed."""

import pytest

from shared.client.call_size import CallSize


def test_calls_grow_while_they_are_short_and_shrink_once_they_are_long() -> None:
    size, seen = CallSize(), []
    for call_s in (0.9, 1.0, 14.9, 29.0, 31.0, 60.0):
        size.adapt(call_s)
        seen.append(size.num_steps)
    assert seen == [128, 256, 512, 512, 495, 247]


@pytest.mark.parametrize("step_s", [0.001, 0.05, 0.3, 1.0, 2.0, 7.0])
def test_at_a_steady_pace_calls_last_half_a_minute_at_most(step_s: float) -> None:
    size = CallSize()
    for _ in range(30):
        size.adapt(size.num_steps * step_s)
        last_s = size.num_steps * step_s
    assert 14 < last_s <= 30


def test_a_call_asks_for_one_step_at_least() -> None:
    size = CallSize()
    for _ in range(20):
        size.adapt(1000.0)
    assert size.num_steps == 1
