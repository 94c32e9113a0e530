"""The HTTP server of the pages: a port and threads of its own."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from waitress import wasyncore
from waitress.server import create_server

from shared.system.listen_address import ListenAddress

if TYPE_CHECKING:
    from flask import Flask

_THREADS = 4
_MAX_CONNECTIONS = 64
_CLOSING_CHECKS_S = 0.2


class PageServer:
    """A listening server of `app`, from `with` to the end of the block."""

    def __init__(self, app: "Flask", listen: ListenAddress) -> None:
        """Raises `UsageError` when it cannot listen there."""
        self._connections: dict[int, object] = {}
        socket = listen.bind()
        self.listen = ListenAddress(listen.host, socket.getsockname()[1])
        "Where it really listens."
        self._server = create_server(
            app,
            self._connections,
            sockets=[socket],
            threads=_THREADS,
            connection_limit=_MAX_CONNECTIONS,
            channel_timeout=30,
            ident=None,
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        """Like Waitress' own `run`, which cannot be stopped. By poll: select knows no more than 1,024 open files."""
        while not self._closing.is_set():
            wasyncore.loop(timeout=_CLOSING_CHECKS_S, use_poll=True, map=self._connections, count=1)
        # The threads that answer first: they end by waking this loop, through a pipe that must still be open.
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._connections, ignore_all=True)
