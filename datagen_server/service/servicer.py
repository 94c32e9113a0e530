"""The three calls of the service: check, read, send. Errors of the tree end a call with their status, in one place.

Requests and batches pass through gRPC as bytes: so a request that cannot be parsed gets a clear status, and images are
copied once less in each direction.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from datagen_server.service.call_metrics import request_id
from datagen_server.service.logs import log_refusal, logged
from datagen_server.service.step_prefetch import StepPrefetcher
from datagen_server.service.stream_metrics import ServiceMetrics
from datagen_server.service.validation import parse, sample_indices, stream_request
from datagen_server.sources.sample_source import SampleSource
from shared.errors import StreamingError, TooManyStreams, Unavailable, status_of
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.messages import SERVICE, dataset_message, samples_message

_LONGEST_DETAILS = 500


class DatasetServicer:
    """Answers for one source. Keeps nothing between requests but the number of open streams, and the metrics."""

    def __init__(self, source: SampleSource, metrics: ServiceMetrics, max_streams: int) -> None:
        self._source, self._metrics = source, metrics
        self._max_streams = max_streams
        self._free_streams = threading.BoundedSemaphore(max_streams)
        self._draining = threading.Event()

    def handler(self) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """To be added to a `grpc.Server`."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods = {
            "GetDataset": unary(self._get_dataset),
            "StreamBatches": stream(self._stream_batches),
            "GetSamples": unary(self._get_samples),
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
            records = source.read(request.split, indices, codec).result()
            return samples_message(indices.tolist(), records, source.dataset.spec).SerializeToString()

    def _stream_batches(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        with _statuses(context):
            message = parse(pb.StreamBatchesRequest.FromString, data)
            request = stream_request(message, self._source.dataset, self._source.codecs)
            stream = self._metrics.stream(request, context.peer(), request_id(context))
            with self._stream_slot(), stream as meter, logged(meter):
                prefetcher = StepPrefetcher(self._source, request)
                if not context.add_callback(prefetcher.cancel):
                    return
                for step, batch in prefetcher:
                    if self._draining.is_set():
                        raise Unavailable(f"the server drains; resume at step {step}")
                    meter.ready()
                    yield batch
                    meter.sent(step, len(batch))

    @contextmanager
    def _stream_slot(self) -> Iterator[None]:
        if not self._free_streams.acquire(blocking=False):
            raise TooManyStreams(f"all {self._max_streams} streams are taken; try another replica, or later")
        try:
            yield
        finally:
            self._free_streams.release()


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except StreamingError as error:
        log_refusal(error, context.peer(), request_id(context))
        context.abort(status_of(error), str(error)[:_LONGEST_DETAILS])
