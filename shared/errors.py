"""The tree of errors, and the only place that knows which gRPC status each one is.

    StreamingError                 everything this project raises on purpose; its text is one line for the user
    |-- UsageError                 bad input from a person: a flag, a config key, a file          exit code 2
    |-- InvalidRequest             a request field out of its bound; names the field              INVALID_ARGUMENT
    |-- NotFound                   no such split                                                  NOT_FOUND
    |-- ForeignDataset             fingerprint or split size is another data set's                FAILED_PRECONDITION
    |-- DataLoss                   stored or received bytes are damaged beyond repair             DATA_LOSS
    |-- TooManyCalls               the server has as many of a kind as it takes; later again      RESOURCE_EXHAUSTED
    |-- TooLarge                   a message is larger than one side takes; never again           RESOURCE_EXHAUSTED
    |-- AccessDenied               missing or wrong token                                         UNAUTHENTICATED
    `-- Unavailable                no server answers, or it drains; worth a retry                  UNAVAILABLE

`exit_code` is what a command ends with: 2 where the person can correct the input, 1 where the job itself failed.
`reason` is what programs in other languages tell errors apart by: the proto lists the reasons.
"""

import re

import grpc

from shared.error_details import ErrorDetails, reason_in


class StreamingError(Exception):
    """Base of all errors raised on purpose. The message is one line: what was wrong, what was expected, what to do."""

    exit_code = 1
    reason = "INTERNAL"

    def __init__(self, text: str) -> None:
        # What was got may be anything, a key with a line break too.
        super().__init__(" ".join(text.splitlines()))

    @property
    def details(self) -> ErrorDetails:
        """For programs."""
        return ErrorDetails(reason=self.reason)


class UsageError(StreamingError):
    """A person's input cannot be used."""

    exit_code = 2


class InvalidRequest(StreamingError):
    """A request field is out of its bound; `field` is its name in the proto."""

    exit_code = 2
    reason = "INVALID_REQUEST"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field

    @property
    def details(self) -> ErrorDetails:
        """Names the field."""
        return ErrorDetails(reason=self.reason, facts={"field": self.field}, invalid_field=self.field)


class NotFound(StreamingError):
    """The data set has no such split."""

    exit_code = 2
    reason = "SPLIT_NOT_FOUND"

    @property
    def details(self) -> ErrorDetails:
        """Names the field."""
        return ErrorDetails(reason=self.reason, facts={"field": "split"})


class ForeignDataset(StreamingError):
    """The other side holds another data set: its fingerprint or a split's size differs."""

    exit_code = 2
    reason = "FOREIGN_DATASET"

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field

    @property
    def details(self) -> ErrorDetails:
        """Names the field, if it was one of a request."""
        return ErrorDetails(reason=self.reason, facts={"field": self.field} if self.field else {})


class DataLoss(StreamingError):
    """Bytes are damaged and could not be replaced."""

    reason = "DATA_LOSS"


class TooManyCalls(StreamingError):
    """The server has as many streams, or calls for single samples, as it takes; later or elsewhere it is well."""

    def __init__(self, text: str, reason: str = "TOO_MANY_STREAMS") -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def details(self) -> ErrorDetails:
        """Names what there is too much of, and a time to wait."""
        return ErrorDetails(reason=self.reason, retry_delay_s=1.0)


class TooLarge(StreamingError):
    """A message or its metadata is larger than one side takes."""

    exit_code = 2
    reason = "TOO_LARGE"


class AccessDenied(StreamingError):
    """The server requires a token and did not get a valid one."""

    exit_code = 2
    reason = "ACCESS_DENIED"


class Unavailable(StreamingError):
    """Nobody answers at the target, or the server there drains. resume_at: the step to ask for next, elsewhere."""

    reason = "DRAINING"

    def __init__(self, text: str, resume_at: int | None = None) -> None:
        super().__init__(text)
        self.resume_at = resume_at

    @property
    def details(self) -> ErrorDetails:
        """Names the step to resume at."""
        facts = {} if self.resume_at is None else {"step": str(self.resume_at)}
        return ErrorDetails(reason=self.reason, facts=facts, retry_delay_s=0.0)


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
