"""The three calls of the service: check, read, send. Errors of the tree end a call with their status, in one place.

Requests and batches pass through gRPC as bytes: so a request that cannot be parsed gets a clear status, and images are
copied once less in each direction.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import grpc
import numpy as np
from numpy.typing import NDArray

from datagen_server.service.call_threads import run_in
from datagen_server.service.memory_budget import MemoryBudget
from datagen_server.service.monitoring.call_metrics import request_id
from datagen_server.service.monitoring.logs import logged, refuse
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics
from datagen_server.service.step_prefetch import EncodedStep, StepPrefetcher
from datagen_server.service.validation import parse, sample_indices, stream_request
from datagen_server.sources.sample_source import SampleSource
from shared.errors import StreamingError, TooManyCalls, Unavailable
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.contract import SERVICE
from shared.protocol.messages import dataset_message, samples_message

MAX_SAMPLE_CALLS = 8
"Calls for single samples at once. They are for people who look; streams are for those who train."
_SPARE_THREADS = 4
# Of single samples: as records, cut into images, in the message, in its bytes.
_COPIES = 4


class DatasetServicer:
    """Answers for one source. Keeps nothing between requests but the number of open streams, and the metrics."""

    def __init__(self, source: SampleSource, metrics: ServiceMetrics, budget: MemoryBudget, max_streams: int) -> None:
        self._source, self._metrics, self._budget = source, metrics, budget
        self._max_streams = max_streams
        self._free_streams = threading.BoundedSemaphore(max_streams)
        self._free_sample_calls = threading.BoundedSemaphore(MAX_SAMPLE_CALLS)
        self._draining = threading.Event()

    def handler(self, quick: ThreadPoolExecutor) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """To be added to a `grpc.Server`. quick: the threads for calls that are answered at once.

        Streams run in the threads of the server; single samples have some of their own, so that none waits for them.
        """
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        samples = ThreadPoolExecutor(MAX_SAMPLE_CALLS + _SPARE_THREADS, "samples")
        methods = {
            "GetDataset": unary(run_in(quick, self._get_dataset)),
            "StreamBatches": stream(self._stream_batches, response_serializer=EncodedStep.take),
            "GetSamples": unary(run_in(samples, self._get_samples)),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def drain(self) -> None:
        """Streams end before their next step."""
        self._draining.set()

    def _get_dataset(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        with _statuses(context):
            parse(pb.GetDatasetRequest.FromString, data)
            source = self._source
            return dataset_message(source.dataset, source.codecs, source.kind).SerializeToString()

    def _get_samples(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        with _statuses(context):
            source, request = self._source, parse(pb.GetSamplesRequest.FromString, data)
            indices, codec = sample_indices(request, source.dataset, source.codecs)
            problem = f"{MAX_SAMPLE_CALLS} calls for single samples are under way; try later, or read a stream"
            with _slot(self._free_sample_calls, TooManyCalls(problem, "TOO_MANY_SAMPLE_CALLS")):
                return self._samples(request.split, indices, codec, context)

    def _samples(self, split: str, indices: NDArray[np.uint64], codec: Codec, context: grpc.ServicerContext) -> bytes:
        """The message; nobody reads it, and nothing is computed any more, once the caller has gone."""
        dataset = self._source.dataset
        memory = self._budget.ask(_COPIES * len(indices) * dataset.spec.image_bytes)
        try:
            if not context.add_callback(memory.release) or not memory.wait():
                return b""
            records = self._source.read(split, indices, codec)
            if not context.add_callback(partial(_cancel, records)):
                records.cancel()
            return samples_message(indices.tolist(), records.result(), dataset).SerializeToString()
        except CancelledError:
            return b""
        finally:
            memory.release()

    def _stream_batches(self, data: bytes, context: grpc.ServicerContext) -> Iterator[EncodedStep]:
        with _statuses(context):
            message = parse(pb.StreamBatchesRequest.FromString, data)
            request = stream_request(message, self._source.dataset, self._source.codecs)
            stream = self._metrics.stream(request, context.peer(), request_id(context))
            problem = TooManyCalls(f"all {self._max_streams} streams are taken; try another replica, or later")
            with _slot(self._free_streams, problem), stream as meter, logged(meter, self._draining.is_set):
                prefetcher = StepPrefetcher(self._source, request, self._budget)
                meter.cancel = context.cancel
                if not context.add_callback(prefetcher.cancel):
                    return
                for encoded in prefetcher:
                    if self._draining.is_set():
                        raise Unavailable(f"the server drains; resume at step {encoded.step}", resume_at=encoded.step)
                    meter.ready()
                    yield encoded
                    meter.sent(encoded.step, encoded.num_bytes)


def _cancel(records: "Future[Records]") -> None:
    records.cancel()


@contextmanager
def _slot(free: threading.BoundedSemaphore, problem: StreamingError) -> Iterator[None]:
    if not free.acquire(blocking=False):
        raise problem
    try:
        yield
    finally:
        free.release()


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except StreamingError as error:
        refuse(error, context)
