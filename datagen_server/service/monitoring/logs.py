"""The log of the service: lines for people, or one JSON object a line for machines.

In JSON the facts of a stream are fields of their own: request_id, peer, split, epoch, rank, ranks, step. The reader's
own log has the same request id, so that both can be compared. gRPC metadata is never logged, since it may hold a token.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import grpc
from pythonjsonlogger.json import JsonFormatter

from datagen_server.service.monitoring.call_metrics import request_id
from datagen_server.service.monitoring.stream_metrics import StreamMeter
from shared.errors import StreamingError
from shared.rpc_errors import metadata_of, status_of

_LOG = logging.getLogger(__name__)
_MAX_TEXT = 500


def start_logging(log_format: str) -> None:
    """Sends all log lines to stderr from now on; log_format: one of `settings.LOG_FORMATS`."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
        handler.setFormatter(JsonFormatter(fields, rename_fields=names, datefmt="%Y-%m-%dT%H:%M:%S%z"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def refuse(error: StreamingError, context: grpc.ServicerContext) -> None:
    """Ends the call with the status, the message and the details of `error`, and logs one line."""
    code, text = status_of(error), str(error)[:_MAX_TEXT]
    request, peer = request_id(context), context.peer()
    facts = {"request_id": request, "peer": peer, "code": code.name}
    _LOG.warning("request %s of %s ended with %s: %s", request, peer, code.name, error, extra=facts)
    context.set_trailing_metadata(metadata_of(error.details, code, text))
    context.abort(code, text)


@contextmanager
def logged(meter: StreamMeter, is_draining: Callable[[], bool]) -> Iterator[None]:
    """One line when a stream opens and one when it closes; a stream that a drain cuts off is told apart."""
    request, end = meter.request, ""
    steps = request.steps
    what = f"{request.split} epoch {request.epoch} rank {request.rank}/{request.ranks} for {meter.peer}"
    what += f", request {meter.request_id},"
    codec = request.codec.value
    _LOG.info("stream of %s opened: steps %d to %d, %s", what, steps.start, steps.stop, codec, extra=_facts(meter))
    try:
        yield
        if meter.next_step == steps.stop:
            end = "done"
    except StreamingError as error:
        end = f"ended with {status_of(error).name}"
        raise
    finally:
        if not end:
            cut_off = "cut off as this server drained: its reader had stalled"
            end = meter.ended_for or (cut_off if is_draining() else "cancelled by its reader")
        meter.ended_for = end
        now = perf_counter()
        waits, seconds = meter.waits(now), now - meter.opened_s
        spent = f"{seconds:.1f} s, {waits.service_s:.1f} waiting for samples, {waits.reader_s:.1f} for its reader"
        figures = {"seconds": seconds, "service_s": waits.service_s, "reader_s": waits.reader_s}
        facts = _facts(meter) | {name: round(value, 3) for name, value in figures.items()}
        _LOG.info("stream of %s closed before step %d after %s: %s", what, meter.next_step, spent, end, extra=facts)


def _facts(meter: StreamMeter) -> dict[str, Any]:
    request = meter.request
    return {
        "request_id": meter.request_id,
        "peer": meter.peer,
        "split": request.split,
        "epoch": request.epoch,
        "rank": request.rank,
        "ranks": request.ranks,
        "step": meter.next_step,
    }
