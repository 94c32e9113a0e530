"""How many steps one call asks for: a quarter to half a minute of them.

Between two calls a stream may change its replica; see `failover`. An epoch in a single call could not.
"""

_FIRST_NUM_STEPS = 16
_CALL_S = 30.0
_SHORT_S, _SHORT_GROWTH = 1.0, 8
"""After a call this short the next is so much larger: each call costs both sides some milliseconds, as much as some
steps do, and an epoch of 128 quick steps is two calls this way instead of four."""


class CallSize:
    """Adapts to how fast the steps of one stream are consumed."""

    def __init__(self) -> None:
        self.num_steps = _FIRST_NUM_STEPS

    def adapt(self, call_s: float) -> None:
        """Takes eight times the size, or doubles it, or cuts it to what half a minute takes.

        call_s: how long a call of all its steps took.
        """
        if call_s < _CALL_S / 2:
            self.num_steps *= _SHORT_GROWTH if call_s < _SHORT_S else 2
        elif call_s > _CALL_S:
            self.num_steps = max(1, int(self.num_steps * _CALL_S / call_s))
