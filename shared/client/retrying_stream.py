"""One stream whose steps come in order, each once, whatever happens to services and networks meanwhile.

The service may end at any moment. The next step is kept here, and any replica can continue from it, so a fault costs a
pause and nothing else. An epoch is several calls; see `call_size`.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from secrets import token_hex

import grpc

from shared.client.call_size import CallSize
from shared.client.deadline import TimedCall
from shared.client.failover import Failover
from shared.client.retry import REPLICA_FAULTS, Retries, RetryPolicy
from shared.client.service import Service
from shared.client.stream_log import StreamLog
from shared.dataset.spec_difference import spec_differences
from shared.errors import DataLoss, ForeignDataset, StreamingError, Unavailable
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch_message import ReceivedBatch, read_batch
from shared.protocol.messages import dataset_of, request_message
from shared.protocol.request import StreamRequest
from shared.rpc_errors import from_rpc_error, is_transient


class RetryingStream:
    """Iterates over the batches of `request`; reads in the thread that iterates.

    Raises a `StreamingError` when a service refuses the request, when replicas hold another data set or damaged bytes,
    three times in a row or all of them, or when none answers for `retry_policy.give_up_after_s`.
    """

    def __init__(self, services: Sequence[Service], request: StreamRequest, retry_policy: RetryPolicy) -> None:
        self._request, self._retry_policy = request, retry_policy
        self._failover = Failover(services, request.rank)
        self._retries = Retries(retry_policy, self._failover.targets)
        self._call_size = CallSize()
        self.name = token_hex(4)
        "Of its calls in logs: `name.0`, `name.1` and so on."
        self._log = StreamLog(self.name)
        self.step = request.steps.start
        "The next step."
        self.reopened = 0
        "How often the stream was opened again after a fault."
        self._num_calls = 0
        self._call: TimedCall | None = None
        self._read_timeout_s = retry_policy.read_timeout_s
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[ReceivedBatch]:
        while self.step < self._request.steps.stop and not self._closed.is_set():
            service, started = self._failover.service, time.monotonic()
            steps = range(self.step, min(self.step + self._call_size.num_steps, self._request.steps.stop))
            call = self._open(service, steps)
            try:
                yield from self._read(call, service)
                error: StreamingError = Unavailable(f"the service at {service.target} ended the stream early")
            except DataLoss as damage:
                error = DataLoss(f"{service.target}: {damage}")
            except grpc.RpcError as fault:
                error = self._judge(fault, call, service)
            if self.step == steps.stop:
                self._call_size.adapt(time.monotonic() - started)
                self._failover.return_home()
            elif not self._closed.is_set():
                self._retry(error)

    def close(self) -> None:
        """Ends the iteration, also one that waits in another thread. Safe to call from a signal handler."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def check_deadline(self) -> None:
        """Ends a call whose next step takes too long; for a thread that waits for the one that reads."""
        if self._call is not None:
            self._call.check()

    def _open(self, service: Service, steps: range) -> TimedCall:
        message = request_message(self._request.of_steps(steps))
        call = TimedCall(service.stream_batches(message, f"{self.name}.{self._num_calls}"), self._read_timeout_s)
        self._num_calls += 1
        self._call = call
        if self._closed.is_set():  # `close` may have seen the call before this one.
            call.cancel()
        return call

    def _read(self, call: TimedCall, service: Service) -> Iterator[ReceivedBatch]:
        for message in call:
            batch = read_batch(message, self._request.dataset.spec)
            self._check(batch)
            self._log.succeeded(self.step, service.target, self._num_calls - 1)
            self._retries.succeeded()
            self._read_timeout_s = call.timeout_s = self._retry_policy.read_timeout_s
            self.step += 1
            yield batch

    def _check(self, batch: ReceivedBatch) -> None:
        expected = self._request.epoch, self.step, len(self._request.rank_slice.positions(self.step))
        found = batch.epoch, batch.step, len(batch)
        if found != expected:
            raise DataLoss(f"expected epoch, step and samples {expected}, got {found}")

    def _judge(self, fault: grpc.RpcError, call: TimedCall, service: Service) -> StreamingError:
        """The error to retry after; raises it when a retry cannot help."""
        if self._closed.is_set():
            return Unavailable("closed")
        if call.is_expired:
            self._read_timeout_s = call.timeout_s * 2
            return Unavailable(f"the data set service at {service.target} sent nothing for {call.timeout_s:g} s")
        error = from_rpc_error(fault, service.target)
        if not is_transient(fault) and not isinstance(error, REPLICA_FAULTS):
            raise error from fault
        return self._explained(error, service) if isinstance(error, ForeignDataset) else error

    def _explained(self, error: ForeignDataset, service: Service) -> ForeignDataset:
        """Names what differs, where the replica says so and its spec is another: one font of two, for example."""
        try:
            answer = service.get_dataset(pb.GetDatasetRequest(), self._retry_policy.connect_timeout_s)
            differences = spec_differences(dataset_of(answer).spec, self._request.dataset.spec)
        except (grpc.RpcError, StreamingError):
            return error
        named = [f"{name}: {theirs} there, {ours} here" for name, theirs, ours in differences]
        return ForeignDataset(f"{error}; {'; '.join(named)}", error.field) if named else error

    def _retry(self, error: StreamingError) -> None:
        """Waits, then lets the next replica be called; raises `error` after too many retries."""
        place = f"step {self.step} of epoch {self._request.epoch} of {self._request.split}"
        self._log.failed(error, place)
        pause_s = self._retries.failed(error, place)
        self._failover.fail_over()
        self._closed.wait(pause_s)
        self.reopened += 1
