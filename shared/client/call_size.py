"""How many steps one call asks for: a quarter to half a minute of them.

Between two calls a stream may change its replica; see `failover`. An epoch in a single call could not.
"""

_FIRST_NUM_STEPS = 16
_CALL_S = 30.0


class CallSize:
    """Adapts to how fast the steps of one stream are consumed."""

    def __init__(self) -> None:
        self.num_steps = _FIRST_NUM_STEPS

    def adapt(self, call_s: float) -> None:
        """Doubles the size, or cuts it to what half a minute takes; call_s: how long a call of all its steps took."""
        if call_s < _CALL_S / 2:
            self.num_steps *= 2
        elif call_s > _CALL_S:
            self.num_steps = max(1, int(self.num_steps * _CALL_S / call_s))
