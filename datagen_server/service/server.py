"""The server process: listen, report health, drain at the end.

Draining: health becomes NOT_SERVING, streams end before their next step, and calls still open after the grace period
are cancelled. Readers go on at another replica, or here after a restart: they keep their position themselves.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import nullcontext
from types import FrameType, TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health, health_pb2

from datagen_server.service.auth import Authentication, ServerSecurity
from datagen_server.service.memory_budget import MemoryBudget, default_memory
from datagen_server.service.monitoring.alert_metrics import add_alert_metrics
from datagen_server.service.monitoring.call_metrics import CallCounter
from datagen_server.service.monitoring.memory_monitor import MemoryMonitor
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics
from datagen_server.service.servicer import DatasetServicer
from datagen_server.service.settings import DEFAULT_MAX_STREAMS
from datagen_server.service.standard_services import health_handler, reflection_handlers
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.timed_source import TimedSource
from shared.page.page_server import PageServer
from shared.protocol.contract import SERVICE
from shared.system.listen_address import ListenAddress

_LOG = logging.getLogger(__name__)
_SPARE_THREADS = 8
_QUICK_THREADS = 4
_SPARE_CONNECTIONS = 64
# The last resort against a flood of calls: beyond, gRPC refuses all alike.
_SPARE_CALLS = 4096
_GRACE_S = 5.0

_OPTIONS = (
    # Two servers started on one port by mistake would share it without an error.
    ("grpc.so_reuseport", 0),
    # Readers ping every 5 s; the default closes their connections.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    # A heartbeat: the stream of a reader whose machine is lost ends.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A request of more than 64 KiB is refused with words of ours, and one that is larger still by gRPC unread.
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    # Clients that connect and then send nothing.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    # Open streams go on over the old connection; certificates are checked again for the next one.
    ("grpc.max_connection_age_ms", 3_600_000),
)
_CONNECTIONS_PER_STREAM = 4


class DatasetServer:
    """A listening server over one source, from `with` to the end of the block, which drains it."""

    def __init__(
        self,
        source: SampleSource,
        listen: ListenAddress,
        max_streams: int = DEFAULT_MAX_STREAMS,
        authentication: Authentication | None = None,
        memory: int | None = None,
    ) -> None:
        """memory: bytes that all calls together may hold; None: `default_memory`."""
        listen.check()
        authentication = authentication or ServerSecurity().open()
        self.is_serving = False
        "Whether it takes requests: False before it has started, and once it drains."
        self.metrics = ServiceMetrics(source)
        add_alert_metrics(
            self.metrics.registry, max_streams, lambda: self.is_serving, authentication.certificate_expiry_s
        )
        timed = TimedSource(source, self.metrics.registry)
        self._budget = MemoryBudget(default_memory() if memory is None else memory)
        self._monitor = MemoryMonitor(self._budget, self.metrics)
        self._servicer = DatasetServicer(timed, self.metrics, self._budget, max_streams)
        self._health = health.HealthServicer(experimental_non_blocking=True)
        quick = futures.ThreadPoolExecutor(_QUICK_THREADS, "quick")
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_streams + _SPARE_THREADS, "stream"),
            handlers=[self._servicer.handler(quick), health_handler(self._health, quick), *reflection_handlers()],
            interceptors=[CallCounter(self.metrics.registry), *authentication.checks],
            options=[*_OPTIONS, _max_connections(max_streams)],
            maximum_concurrent_rpcs=max_streams + _SPARE_CALLS,
        )
        port = self._server.add_secure_port(str(listen), authentication.credentials)
        self.listen = listen if listen.is_unix else ListenAddress(listen.host, port)
        "Where it listens, with the real port."

    def __enter__(self) -> Self:
        self._server.start()
        self._monitor.start()
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self.is_serving = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drain()

    @property
    def held_memory(self) -> int:
        """Bytes that its calls hold of the memory budget."""
        return self._budget.held

    @property
    def num_waiting(self) -> int:
        """Calls that wait for memory."""
        return len(self._budget.waiting_since())

    def drain(self, grace_s: float = _GRACE_S) -> None:
        """Ends all streams and refuses new calls; returns when the last call has ended."""
        self.is_serving = False
        self._health.enter_graceful_shutdown()
        self._servicer.drain()
        self._server.stop(grace_s).wait()
        self._monitor.stop()


def _max_connections(max_streams: int) -> tuple[str, int]:
    # Further connections are closed at once. A limit on the calls of one connection would end them with RST_STREAM, a
    # code without a message; `maximum_concurrent_rpcs` refuses too many calls with a status.
    return "grpc.max_allowed_incoming_connections", max_streams * _CONNECTIONS_PER_STREAM + _SPARE_CONNECTIONS


def serve_until_stopped(
    server: DatasetServer,
    *,
    stop_with_stdin: bool,
    page: PageServer | None = None,
    announce: Callable[[ListenAddress, ListenAddress | None], None] | None = None,
) -> int:
    """Serves until SIGTERM or the end of standard input (exit code 0) or Ctrl-C (130).

    announce: called once it listens, with its address and that of the `page`; by default it prints `listening on
    HOST:PORT` and `metrics on HOST:PORT` on stdout. The page answers until the last stream has ended. A second signal
    ends the process at once.
    """
    # A signal must wake the main thread even if it comes just before the read, or to another thread: Python promises
    # that only for this file descriptor.
    stop_read, stop_write = os.pipe()
    os.set_blocking(stop_write, False)
    signal.set_wakeup_fd(stop_write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _reset_handler)
    if stop_with_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, args=(stop_write,), daemon=True).start()
    with page or nullcontext(), server:
        (announce or _announce)(server.listen, page.listen if page else None)
        (reason,) = os.read(stop_read, 1)
        _LOG.info("draining")
    return 130 if reason == signal.SIGINT else 0


def _announce(listen: ListenAddress, metrics: ListenAddress | None) -> None:
    print(f"listening on {listen}", flush=True)
    if metrics:
        print(f"metrics on {metrics}", flush=True)


def _reset_handler(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)


def _stop_at_end_of_stdin(stop_write: int) -> None:
    # Not through sys.stdin: its lock, held by this thread, would stop the interpreter from ending, and it may be None.
    while os.read(0, 4096):
        pass
    os.write(stop_write, bytes([signal.SIGTERM]))
