"""A call's size follows how fast its steps are consumed."""

from shared.client.call_size import CallSize


def test_calls_grow_while_they_are_short_and_shrink_while_they_are_long() -> None:
    size, seen = CallSize(), []
    for call_s in (1.0, 1.0, 29.0, 61.0, 14.9):
        size.adapt(call_s)
        seen.append(size.num_steps)
    assert seen == [128, 256, 256, 128, 256]


def test_a_call_asks_for_one_step_at_least() -> None:
    size = CallSize()
    for _ in range(20):
        size.adapt(1000.0)
    assert size.num_steps == 1
