"""Counts every call under the names that gRPC dashboards know (go-grpc-prometheus), and reads each call's request id.

Note: this must be the first interceptor, so that it counts what the caller sees, refusals by others included. Calls of
the health service are not counted: there would be more probes than anything else.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

from datagen_server.service.call_threads import keep_threads
from shared.protocol.contract import REQUEST_ID_KEY, SERVICE

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LABELS = ("grpc_type", "grpc_service", "grpc_method")
_TYPES = {"GetDataset": "unary", "GetSamples": "unary", "StreamBatches": "server_stream"}

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]


def request_id(context: grpc.ServicerContext) -> str:
    """The id that the caller gave its request, or a new one when there is none, or none that is safe in a log."""
    for key, value in context.invocation_metadata():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return token_hex(8)


class CallCounter(grpc.ServerInterceptor):  # type: ignore[type-arg]
    """Counts the calls of our service, their messages, their ends by status, and the seconds they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, help_text: str, *more: str) -> Counter:
            return Counter(f"grpc_server_{name}", help_text, (*_LABELS, *more), registry=registry)

        self._started = counter("started", "RPCs started on the server.")
        self._handled = counter("handled", "RPCs completed on the server, by status.", "grpc_code")
        self._received = counter("msg_received", "Messages received from clients.")
        self._sent = counter("msg_sent", "Messages sent to clients.")
        help_text = "Seconds from the start to the end of an RPC."
        buckets = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
        name = "grpc_server_handling_seconds"
        self._seconds = Histogram(name, help_text, _LABELS, buckets=buckets, registry=registry)
        for method in _TYPES:
            labels = _labels(method)
            for metric in (self._started, self._received, self._sent, self._seconds):
                metric.labels(*labels)
            self._handled.labels(*labels, "OK")

    def intercept_service(
        self, continuation: "Callable[[grpc.HandlerCallDetails], Handler | None]", details: grpc.HandlerCallDetails
    ) -> "Handler | None":
        """The handler of a call, wrapped so that it counts."""
        handler = continuation(details)
        _, service, method = details.method.split("/") if details.method.count("/") == 2 else ("", "", "")
        if handler is None or service != SERVICE or method not in _TYPES:
            return handler
        if handler.unary_stream is not None:
            counted = self._stream(method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(counted, response_serializer=handler.response_serializer)
        return handler.unary_unary and grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary))

    def _unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        sent = self._sent.labels(*_labels(method))

        def counted(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._call(method, context):
                answer: bytes = behaviour(request, context)
                sent.inc()
                return answer

        return keep_threads(behaviour, counted)

    def _stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        sent = self._sent.labels(*_labels(method))

        def counted(request: bytes, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._call(method, context):
                for message in behaviour(request, context):
                    yield message
                    sent.inc()

        return keep_threads(behaviour, counted)

    @contextmanager
    def _call(self, method: str, context: Any) -> Iterator[None]:
        labels, started, code = _labels(method), perf_counter(), "Unknown"
        self._started.labels(*labels).inc()
        self._received.labels(*labels).inc()
        try:
            yield
            code = "OK" if context.is_active() else "Canceled"
        except GeneratorExit:
            code = "Canceled"
            raise
        except Exception:
            code = _name(context.code())
            raise
        finally:
            self._handled.labels(*labels, code).inc()
            self._seconds.labels(*labels).observe(perf_counter() - started)


def _labels(method: str) -> tuple[str, str, str]:
    return _TYPES[method], SERVICE, method


def _name(code: grpc.StatusCode | None) -> str:
    """The status as gRPC for Go spells it, which dashboards expect: DataLoss, Canceled."""
    if code is None:
        return "Unknown"
    return "Canceled" if code is grpc.StatusCode.CANCELLED else code.name.title().replace("_", "")
