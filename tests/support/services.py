"""Services for tests: in this process, or in one of their own that can be killed and frozen."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Self

import grpc

from datagen_server.service.server import DatasetServer
from datagen_server.sources.sample_source import SampleSource
from shared.protocol.contract import SERVICE
from shared.system.listen_address import ListenAddress
from tests.support.toys import ToySource


@contextmanager
def served(source: SampleSource | None = None, max_streams: int = 16) -> Iterator[str]:
    """Yields the target of a server in this process over `source`, by default the toy data set."""
    source = source or ToySource()
    try:
        with DatasetServer(source, ListenAddress("127.0.0.1", 0), max_streams) as server:
            yield str(server.listen)
            server.drain(0.2)
    finally:
        source.close()


def open_stream(channel: grpc.Channel, request: bytes) -> tuple[Iterator[bytes], Callable[[], object]]:
    """The messages that StreamBatches answers to the bytes of a request, and what cancels it."""
    call = channel.unary_stream(f"/{SERVICE}/StreamBatches", None, None)(request, timeout=60)
    return iter(call), call.cancel


class ServiceProcess:
    """A service in a process of its own, by default over the toy data set; it may be killed and started again."""

    def __init__(self, *command: str, log: IO[str] | None = None) -> None:
        self._command, self._log = command, log
        self.target = ""
        self.process: subprocess.Popen[str]
        self.start()

    def start(self) -> None:
        """Starts it, on the port that it had before."""
        port = self.target.rpartition(":")[2] or "0"
        command = [argument.replace("PORT", port) for argument in self._command or ("tests.support.toy_server", "PORT")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log or subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.target = self.process.stdout.readline().strip().removeprefix("listening on ")
        assert self.target, "the service did not start"

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Ends it with a signal; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits for its end; its exit code."""
        code = self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
