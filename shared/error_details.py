"""What an error says to programs beside its status code: `google.rpc.ErrorInfo`, `BadRequest` and `RetryInfo`.

They travel as gRPC's richer error model has it: a `google.rpc.Status` in the trailing metadata of the call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

KEY = "grpc-status-details-bin"
"The metadata key of gRPC's richer error model."
DOMAIN = "captcha.v1"
"Who gives the reasons their meaning."


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

    def metadata(self, code: grpc.StatusCode, text: str) -> tuple[tuple[str, bytes], ...]:
        """As trailing metadata of a call that ends with `code` and `text`."""
        number: int = code.value[0]
        status = status_pb2.Status(code=number, message=text)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.facts))
        if self.invalid_field:
            violation = error_details_pb2.BadRequest.FieldViolation(field=self.invalid_field, description=text)
            status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        if self.retry_delay_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(self.retry_delay_s * 1000))
            status.details.add().Pack(retry)
        return ((KEY, status.SerializeToString()),)


def reason_in(error: grpc.RpcError) -> str:
    """The reason that one of our servers gave for a failed call; empty where another part of the way ended it."""
    metadata: Any = error.trailing_metadata() if isinstance(error, grpc.Call) else None
    for key, value in metadata or ():
        if key == KEY and isinstance(value, bytes):
            info = error_details_pb2.ErrorInfo()
            try:
                found = any(detail.Unpack(info) for detail in status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ""
            return str(info.reason) if found and info.domain == DOMAIN else ""
    return ""
