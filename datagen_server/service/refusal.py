"""How a call ends with an error: one line in the log, then its status, its words and its details."""

import grpc

from datagen_server.service.call_metrics import request_id
from datagen_server.service.logs import log_refusal
from shared.errors import StreamingError, status_of

_LONGEST_TEXT = 500


def refuse(error: StreamingError, context: grpc.ServicerContext) -> None:
    """Ends the call by raising what gRPC expects."""
    log_refusal(error, context.peer(), request_id(context))
    code, text = status_of(error), str(error)[:_LONGEST_TEXT]
    context.set_trailing_metadata(error.details.metadata(code, text))
    context.abort(code, text)
