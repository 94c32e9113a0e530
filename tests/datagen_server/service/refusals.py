"""What a reader is told whom a service does not let in."""

import pytest

from shared.client import RetryPolicy, connect
from shared.errors import Unavailable
from shared.security.credentials import Security

HASTY = RetryPolicy(connect_timeout_s=1.0, read_timeout_s=1.0, give_up_after_s=0.5)


def refusal(target: str, security: Security) -> str:
    """The one line that a reader gets."""
    with pytest.raises(Unavailable) as caught:
        connect(target, HASTY, security)
    assert "\n" not in str(caught.value)
    return str(caught.value)
