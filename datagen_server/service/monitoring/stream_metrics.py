"""The metrics of a running service: its open streams, and all figures in Prometheus' format.

Note: a stream counts without a lock and without the Prometheus library, in half a microsecond a step. Its own thread
replaces plain values, and a scrape adds up the streams of that moment. So a wait counts while it lasts: a reader that
has stalled for five minutes shows as five minutes, and not as nothing until it reads again.

The label `who` says who was slow: "service" while a stream waits for its samples, "reader" while a batch waits to be
taken by its reader.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from time import perf_counter
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Info, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from datagen_server.service.monitoring.finished_streams import FinishedStream, FinishedStreams
from datagen_server.sources.sample_source import DamageCounts, SampleSource
from shared import VERSION
from shared.protocol.request import StreamRequest

Who = Literal["service", "reader"]
MAX_RANK_LABELS = 256
"Ranks from here on share the label `256+`: a time series costs memory wherever it is kept."
_MARK_EVERY_S = 10.0


class Waits(NamedTuple):
    """Who was slow, and for how long, up to one moment."""

    who: Who
    "Who is slow now."
    lasted_s: float
    "For how long so far."
    service_s: float
    "In total."
    reader_s: float
    "In total."


@dataclass(frozen=True)
class Recent:
    """A stream over its last 10 to 20 seconds."""

    images_per_s: float
    service_share: float
    "Of the time: the reader waited for the service."
    reader_share: float
    "Of the time: the service waited for the reader."


class StreamMeter:
    """The figures of one open stream: its reader, its position, who waits. Written by its own thread, read by any."""

    def __init__(self, request: StreamRequest, peer: str, request_id: str) -> None:
        self.request, self.peer, self.request_id = request, peer, request_id
        self.next_step = request.first_step
        self.num_batches = self.num_bytes = 0
        self.opened_s = perf_counter()
        self.cancel: Callable[[], object] = lambda: None
        "Ends the call; nothing before it is set."
        self.ended_for = ""
        "Why it ended; empty while it is open."
        # (waiting for the reader, since when, seconds of the service, seconds of the reader): replaced as one value.
        self._waits = False, self.opened_s, 0.0, 0.0
        # (when, batches, seconds of the service, seconds of the reader), and the one before.
        self._mark = self._last_mark = self.opened_s, 0, 0.0, 0.0

    def ready(self) -> None:
        """A batch is ready: from now on the stream waits for its reader."""
        now = perf_counter()
        _, since, service_s, reader_s = self._waits
        self._waits = True, now, service_s + now - since, reader_s

    def sent(self, step: int, num_bytes: int) -> None:
        """The batch of `step` was sent: from now on the reader waits for the service."""
        now = perf_counter()
        _, since, service_s, reader_s = self._waits
        reader_s += now - since
        self._waits = False, now, service_s, reader_s
        self.next_step = step + 1
        self.num_batches += 1
        self.num_bytes += num_bytes
        if now - self._mark[0] > _MARK_EVERY_S:
            self._last_mark, self._mark = self._mark, (now, self.num_batches, service_s, reader_s)

    def end(self, reason: str) -> None:
        """Ends the call, which may be blocked; its reader sees CANCELLED. By any thread."""
        self.ended_for = reason
        self.cancel()

    def waits(self, now: float) -> Waits:
        """Up to `now`, a `perf_counter()` read before this call: so later calls never return less than earlier ones."""
        for_reader, since, service_s, reader_s = self._waits
        lasted_s = max(0.0, now - since)
        if for_reader:
            return Waits("reader", lasted_s, service_s, reader_s + lasted_s)
        return Waits("service", lasted_s, service_s + lasted_s, reader_s)

    def recent(self, now: float) -> Recent:
        """Up to `now`."""
        (then, num_batches, service_s, reader_s), waits = self._last_mark, self.waits(now)
        time_s = max(now - then, 1e-9)
        num_images = (self.num_batches - num_batches) * self.request.rank_slice.batch_size
        shares = ((total - before) / time_s for total, before in zip(waits[2:], (service_s, reader_s), strict=True))
        return Recent(num_images / time_s, *shares)

    @property
    def num_images(self) -> int:
        """Sent so far; the last batch of an epoch may be short."""
        part, last = self.request.rank_slice, self.request.rank_slice.num_steps
        short = part.batch_size - len(part.positions(last - 1)) if self.next_step == last and self.num_batches else 0
        return self.num_batches * part.batch_size - short

    @property
    def labels(self) -> tuple[str, str]:
        """Split and rank as Prometheus sees them."""
        rank = self.request.rank
        return self.request.split, str(rank) if rank < MAX_RANK_LABELS else f"{MAX_RANK_LABELS}+"


@dataclass
class Totals:
    """The sums over some streams."""

    batches: float = 0
    images: float = 0
    num_bytes: float = 0
    service_s: float = 0
    reader_s: float = 0

    def add(self, meter: StreamMeter, now: float) -> None:
        """One stream's figures up to `now`."""
        waits = meter.waits(now)
        self.batches += meter.num_batches
        self.images += meter.num_images
        self.num_bytes += meter.num_bytes
        self.service_s += waits.service_s
        self.reader_s += waits.reader_s


class ServiceMetrics:
    """The metrics of one server over `source`, in a registry of their own; a `Collector` of those of its streams."""

    def __init__(self, source: SampleSource) -> None:
        self.damage = source.damage
        self._splits = tuple(source.dataset.counts)
        self._open: dict[int, StreamMeter] = {}
        self._closed: dict[tuple[str, str], Totals] = {}
        self.finished = FinishedStreams()
        self._lock = threading.Lock()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # Else three of four series are creation times.
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Info("captcha_build", "What is running: version, data set and kind of source.", registry=self.registry)
        build.info({"version": VERSION, "fingerprint": source.dataset.fingerprint, "source": source.kind})
        self.registry.register(self)

    @contextmanager
    def stream(self, request: StreamRequest, peer: str, request_id: str) -> Iterator[StreamMeter]:
        """Counts a stream for as long as it is open."""
        meter = StreamMeter(request, peer, request_id)
        with self._lock:
            self._open[id(meter)] = meter
        try:
            yield meter
        finally:
            now = perf_counter()
            with self._lock:
                del self._open[id(meter)]
                self._closed.setdefault(meter.labels, Totals()).add(meter, now)
            self.finished.add(
                FinishedStream(request, peer, meter.num_images, meter.ended_for, now, now - meter.opened_s)
            )

    def totals(self) -> dict[tuple[str, str], Totals]:
        """The sums over all streams so far, by split and rank label."""
        with self._lock:
            return self._totals(list(self._open.values()), perf_counter())

    def _totals(self, meters: list[StreamMeter], now: float) -> dict[tuple[str, str], Totals]:
        totals = {labels: Totals(*astuple(closed)) for labels, closed in self._closed.items()}
        for meter in meters:
            totals.setdefault(meter.labels, Totals()).add(meter, now)
        return totals

    def open_streams(self) -> list[StreamMeter]:
        """By split, rank, and time of opening."""
        with self._lock:
            meters = list(self._open.values())
        return sorted(meters, key=lambda meter: (meter.request.split, meter.request.rank, meter.opened_s))

    def collect(self) -> Iterator[Metric]:
        """The figures of all streams up to now, and of damaged records."""
        with self._lock:
            now = perf_counter()
            meters = list(self._open.values())
            totals = self._totals(meters, now)
        yield from _stream_totals(totals)
        yield from _open_streams(meters, self._splits, now)
        yield from _damage(self.damage)


def _stream_totals(totals: dict[tuple[str, str], Totals]) -> Iterator[Metric]:
    labels = "split", "rank"
    batches = CounterMetricFamily("captcha_batches", "Batches sent.", labels=labels)
    images = CounterMetricFamily("captcha_images", "Images sent.", labels=labels)
    num_bytes = CounterMetricFamily("captcha_batch_bytes", "Bytes of the batches sent.", labels=labels)
    help_text = "Seconds that streams waited for their samples (service) or for their reader (reader)."
    waits = CounterMetricFamily("captcha_stream_wait_seconds", help_text, labels=("who", *labels))
    for key, total in totals.items():
        batches.add_metric(key, total.batches)
        images.add_metric(key, total.images)
        num_bytes.add_metric(key, total.num_bytes)
        waits.add_metric(("service", *key), total.service_s)
        waits.add_metric(("reader", *key), total.reader_s)
    yield from (batches, images, num_bytes, waits)


def _open_streams(meters: list[StreamMeter], splits: tuple[str, ...], now: float) -> Iterator[Metric]:
    num_open = GaugeMetricFamily("captcha_open_streams", "Streams that are open.", labels=["split"])
    by_split = Counter(meter.request.split for meter in meters)
    for split in splits:
        num_open.add_metric([split], by_split[split])
    labels = "split", "rank"
    epochs = GaugeMetricFamily("captcha_stream_epoch", "Epoch of the stream opened last.", labels=labels)
    steps = GaugeMetricFamily("captcha_stream_step", "Next step of the stream opened last.", labels=labels)
    help_text = "How long the current wait of the stream opened last has lasted, by who is slow."
    lasting = GaugeMetricFamily("captcha_stream_current_wait_seconds", help_text, labels=("who", *labels))
    for meter in {meter.labels: meter for meter in meters}.values():
        waits = meter.waits(now)
        epochs.add_metric(meter.labels, meter.request.epoch)
        steps.add_metric(meter.labels, meter.next_step)
        for who in ("service", "reader"):
            lasting.add_metric((who, *meter.labels), waits.lasted_s if waits.who == who else 0.0)
    yield from (num_open, epochs, steps, lasting)


def _damage(damage: DamageCounts) -> Iterator[Metric]:
    healed, refused = damage.healed.total(), damage.refused.total()
    yield CounterMetricFamily("captcha_corrupt_records", "Reads of damaged records.", healed + refused)
    yield CounterMetricFamily("captcha_healed_records", "Damaged records rendered again and served.", healed)
    yield CounterMetricFamily("captcha_refused_records", "Damaged records that could not be rendered again.", refused)
