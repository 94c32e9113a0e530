"""The tree of errors, each with the gRPC status that `rpc_errors.py` ends a call with. Without gRPC: a command's --help
does not wait for its import.

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

from shared.error_details import ErrorDetails


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
