"""What an error says to programs beside its status code; `rpc_errors.py` packs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ErrorDetails:
    """What a program may want to know of an error."""

    reason: str
    "One of those that the proto lists, such as TOO_MANY_STREAMS."
    facts: Mapping[str, str] = field(default_factory=dict)
    "By name; such as the step to resume at."
    invalid_field: str = ""
    "Of the request."
    retry_delay_s: float | None = None
    "After which the same request may succeed; None: it will not, or at once elsewhere."
