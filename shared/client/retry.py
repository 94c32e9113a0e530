"""One stream as a reader sees it: its steps in order, each once, whatever happens to services and networks meanwhile.

What surprises: the service is allowed to die at any moment. The cursor (the next step) lives here, and any replica can
go on from it, so a fault costs a pause and nothing else. Nor is an epoch one call: each asks for some half a minute of
steps, and the next is a chance to go home, to the replica that is this rank's. So load spreads again after a restart.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from secrets import token_hex

import grpc

from shared.client.channel import Service
from shared.errors import DataLoss, ForeignDataset, StreamingError, Unavailable, from_rpc_error, is_transient
from shared.protocol.messages import ReceivedBatch, read_batch, request_message
from shared.protocol.request import StreamRequest

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_MAX_REFUSED = 3
_FIRST_CALL_STEPS = 64
_CALL_S = 30.0
_HOME_AGAIN_S = 60.0


# What one replica refuses with that another, of the right data set or with whole files, need not.
_ANOTHER_MAY_BE_BETTER = ForeignDataset, DataLoss


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long a reader waits for what."""

    connect_timeout_s: float = 5.0
    "For the first answer of a service, and for single samples."
    read_timeout_s: float = 12.0
    "For one step. Doubled after each step that took longer, so that a slow service is not asked in vain for ever."
    give_up_after_s: float = 60.0
    "Of trying again without a single step, until it is an error."


class Cursor:
    """Iterates over the batches of `address` and holds the next step; reads in the thread that iterates.

    Raises a `StreamingError` when a service does not take the request, when replicas hold another data set or damaged
    bytes, three times in a row or all of them, or when none answers for too long.
    """

    def __init__(self, services: Sequence[Service], address: StreamRequest, retry_policy: RetryPolicy) -> None:
        self._services, self._address, self._retry_policy = services, address, retry_policy
        # Ranks start at different replicas.
        self._turn = self._home = address.rank % len(services)
        self._home_again_at = 0.0
        self.name = token_hex(4)
        "Of its requests in logs: `name.0`, and `name.1` and so on for the calls that follow."
        self._num_calls = 0
        self.step = address.steps.start
        self._num_steps = _FIRST_CALL_STEPS
        self.reopened = 0
        "How often the stream was opened again."
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._cancel: Callable[[], object] = _do_nothing
        self._waits_since: float | None = None
        self._failing_since: float | None = None
        self._failures = self._refused = self._overdue = 0
        self._named_foreign: set[str] = set()
        self._expired = False

    def __iter__(self) -> Iterator[ReceivedBatch]:
        while self.step < self._address.steps.stop and not self._closed.is_set():
            service, started = self._services[self._turn % len(self._services)], time.monotonic()
            steps = range(self.step, min(self.step + self._num_steps, self._address.steps.stop))
            try:
                yield from self._read(service, steps)
                problem: StreamingError = Unavailable(f"the service at {service.target} ended the stream early")
            except DataLoss as error:
                problem = DataLoss(f"{service.target}: {error}")
            except grpc.RpcError as error:
                problem = self._judge(error, service)
            if self.step == steps.stop:
                self._plan_next(time.monotonic() - started)
            elif not self._closed.is_set():
                self._pause(problem)

    def close(self) -> None:
        """Ends the iteration, also one that waits in another thread. Safe to call from a signal handler."""
        self._closed.set()
        with self._lock:
            self._cancel()

    def check_deadline(self) -> None:
        """Gives up a read that takes too long; for a thread that waits for the one that reads."""
        with self._lock:
            since, limit_s = self._waits_since, self._retry_policy.read_timeout_s * 2**self._overdue
            if since is not None and time.monotonic() - since > limit_s:
                self._waits_since, self._expired = None, True
                self._cancel()

    def _plan_next(self, took_s: float) -> None:
        """After a call that gave all its steps: how long the next shall be, and where."""
        if took_s < _CALL_S / 2:
            self._num_steps *= 2
        elif took_s > _CALL_S * 2:
            self._num_steps = max(1, self._num_steps // 2)
        if time.monotonic() > self._home_again_at:
            self._turn = self._home

    def _read(self, service: Service, steps: range) -> Iterator[ReceivedBatch]:
        for message in self._timed(self._open(service, steps)):
            batch = self._checked(read_batch(message, self._address.dataset.spec))
            self._note_progress(service)
            self.step += 1
            yield batch

    def _open(self, service: Service, steps: range) -> Iterator[bytes]:
        with self._lock:
            request = request_message(self._address, steps)
            call = service.stream_batches(request, f"{self.name}.{self._num_calls}")
            self._num_calls += 1
            self._cancel = call.cancel
        if self._closed.is_set():
            self.close()
        return iter(call)

    def _timed(self, messages: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            self._waits_since = time.monotonic()
            try:
                message = next(messages, None)
            finally:
                self._waits_since = None
            if message is None:
                return
            yield message

    def _checked(self, batch: ReceivedBatch) -> ReceivedBatch:
        expected = self._address.epoch, self.step, len(self._address.part.positions(self.step))
        found = batch.epoch, batch.step, len(batch)
        if found != expected:
            raise DataLoss(f"expected epoch, step and samples {expected}, got {found}")
        return batch

    def _judge(self, error: grpc.RpcError, service: Service) -> StreamingError:
        """What went wrong, to try again; raises what trying again cannot mend."""
        if self._closed.is_set():
            return Unavailable("closed")
        if self._expired:
            self._expired = False
            self._overdue += 1
            limit_s = self._retry_policy.read_timeout_s * 2 ** (self._overdue - 1)
            return Unavailable(f"the data set service at {service.target} sent nothing for {limit_s:g} s")
        problem = from_rpc_error(error, service.target)
        if not is_transient(error) and not isinstance(problem, _ANOTHER_MAY_BE_BETTER):
            raise problem from error
        return problem

    def _pause(self, problem: StreamingError) -> None:
        """Waits a little before the next replica is asked; raises `problem` when that has been done for long enough."""
        now, place = time.monotonic(), f"step {self.step} of epoch {self._address.epoch} of {self._address.split}"
        if self._is_news(problem):
            _LOG.warning("%s; reading on at %s when a service is there for it (request %s)", problem, place, self.name)
        self._failing_since = self._failing_since or now
        self._refused = self._refused + 1 if isinstance(problem, _ANOTHER_MAY_BE_BETTER) else 0
        if self._refused >= max(_MAX_REFUSED, len(self._services)):
            raise problem
        if (waited_s := now - self._failing_since) > self._retry_policy.give_up_after_s:
            targets = ",".join(service.target for service in self._services)
            advice = f"check it with: python -m datagen_server health --target {targets}"
            raise Unavailable(f"{problem}; gave up at {place} after {waited_s:.0f} s; {advice}") from problem
        if self._turn % len(self._services) == self._home:
            self._home_again_at = now + _HOME_AGAIN_S
        self._turn += 1
        rounds, self._failures = self._failures // len(self._services), self._failures + 1
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**rounds)
        self._closed.wait(random.random() * longest_s)
        self.reopened += 1

    def _note_progress(self, service: Service) -> None:
        if self._failing_since is not None:
            request = f"{self.name}.{self._num_calls - 1}"
            _LOG.warning("reading on at step %d from %s (request %s)", self.step, service.target, request)
        self._failing_since = None
        self._failures = self._refused = self._overdue = 0

    def _is_news(self, problem: StreamingError) -> bool:
        """Of faults in a row the first is; and so is a replica of another data set, once."""
        if isinstance(problem, ForeignDataset) and str(problem) not in self._named_foreign:
            self._named_foreign.add(str(problem))
            return True
        return self._failing_since is None


def _do_nothing() -> None:
    """Cancels no call."""
