"""The only place that knows which gRPC status each error is.

`ErrorDetails` travel as gRPC's richer error model has it: `google.rpc.ErrorInfo`, `BadRequest` and `RetryInfo` in a
`google.rpc.Status` in the trailing metadata of the call.
"""

import re
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from shared.error_details import ErrorDetails
from shared.errors import (
    AccessDenied,
    DataLoss,
    ForeignDataset,
    InvalidRequest,
    NotFound,
    StreamingError,
    TooLarge,
    TooManyCalls,
    Unavailable,
)

KEY = "grpc-status-details-bin"
"The metadata key of gRPC's richer error model."
DOMAIN = "captcha.v1"
"Who gives the reasons their meaning."

_STATUS: dict[type[StreamingError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    ForeignDataset: grpc.StatusCode.FAILED_PRECONDITION,
    DataLoss: grpc.StatusCode.DATA_LOSS,
    TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    AccessDenied: grpc.StatusCode.UNAUTHENTICATED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}
_ERROR = {status: error for error, status in _STATUS.items() if error not in (InvalidRequest, TooManyCalls)}

# Faults of the transport or of one replica: the same request may succeed a moment later or elsewhere.
_TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)

# gRPC's own words for more calls at once than a server takes.
_BUSY = "Concurrent RPC limit exceeded!"

# What gRPC says of a TLS handshake that failed on this side, and what that means.
_HANDSHAKES = {
    "certificate has expired": "its TLS certificate has expired; a new pair needs no restart",
    "certificate is not yet valid": "its TLS certificate is not yet valid; compare the clocks",
    "CERTIFICATE_VERIFY_FAILED": "its TLS certificate is not signed by an authority in --tls-ca",
    "Hostname Verification Check failed": "its TLS certificate is for another host name; use one that it holds",
    "WRONG_VERSION_NUMBER": "it does not speak TLS; leave out --tls-ca, or give the service a certificate",
    "handshake failed": "the TLS handshake failed",
}


def status_of(error: StreamingError) -> grpc.StatusCode:
    """The status a servicer ends a call with for `error`; INTERNAL for those that should never reach a servicer."""
    return _STATUS.get(type(error), grpc.StatusCode.INTERNAL)


def is_transient(error: grpc.RpcError) -> bool:
    """Whether a client should open the same request again."""
    # With a reason of ours it is a limit of a server that is busy. Without, it is gRPC's own: a message is larger than
    # it may be, and will be so the next time.
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return bool(reason_in(error)) or error.details() == _BUSY
    return error.code() in _TRANSIENT


def from_rpc_error(error: grpc.RpcError, target: str) -> StreamingError:
    """The error of the tree for a failed call to `target`, with the message of the server."""
    code, details = error.code(), " ".join((error.details() or "").split())
    if code == grpc.StatusCode.INVALID_ARGUMENT:
        field, _, problem = details.partition(" ")
        return InvalidRequest(field, problem)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED and is_transient(error):
        return TooManyCalls(f"{target}: {details}", reason_in(error))
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return AccessDenied(f"{target}: {details}; the Python commands send the one in --token-file")
    known = _ERROR.get(code)
    if known is not None and known is not Unavailable:
        return known(f"{target}: {details}")
    return Unavailable(f"the data set service at {target} does not answer ({reason_of(error)})")


def reason_of(error: grpc.RpcError) -> str:
    """Why a call failed, in a few words, such as "connection refused"."""
    code, details = error.code(), " ".join((error.details() or "").split())
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    if code == grpc.StatusCode.CANCELLED:
        return "the call was cancelled"
    if code != grpc.StatusCode.UNAVAILABLE:
        return f"{code.name}: {details or 'no details'}"
    for text, meaning in _HANDSHAKES.items():
        if text in details:
            return meaning
    *_, reason = details.partition("last error: ")
    *_, reason = (reason or details).rpartition(": ")
    return re.sub(r" \(\d+\)$", "", reason).lower() or "no details"


def metadata_of(details: ErrorDetails, code: grpc.StatusCode, text: str) -> tuple[tuple[str, bytes], ...]:
    """As trailing metadata of a call that ends with `code` and `text`."""
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=text)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=details.reason, domain=DOMAIN, metadata=details.facts))
    if details.invalid_field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=details.invalid_field, description=text)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if details.retry_delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(details.retry_delay_s * 1000))
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
