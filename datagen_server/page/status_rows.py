"""The rows of the status page: open streams, totals of each split, finished readers, damaged shards."""

from dataclasses import dataclass, replace
from time import perf_counter

from datagen_server.service.monitoring.finished_streams import FinishedStream
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics, StreamMeter, Who
from shared.page.texts import duration

_STARVED_SHARE = 0.5


@dataclass(frozen=True)
class StreamRow:
    """One open stream, over its last 10 to 20 seconds."""

    split: str
    rank: int
    ranks: int
    peer: str
    epoch: int
    next_step: int
    "Within the epoch, which has `num_steps`."
    num_steps: int
    images_per_s: float
    service_share: float
    "Of the time: the reader waited for samples."
    reader_share: float
    "Of the time: a batch waited for its reader."
    who: Who
    "Who is slow now."
    lasted: str
    "For how long so far."

    @property
    def is_starved(self) -> bool:
        """Whether its reader waits for the service most of the time."""
        return self.service_share > _STARVED_SHARE


@dataclass(frozen=True)
class TotalRow:
    """What all streams of one split got since the service began."""

    split: str
    open: int
    finished: int
    images: float
    num_bytes: float
    service_s: float
    "Seconds that readers waited for samples, over all streams."
    reader_s: float
    "Seconds that batches waited for their readers, over all streams."


@dataclass(frozen=True)
class FinishedRow:
    """One stream that has ended."""

    stream: FinishedStream
    ago: str
    lasted: str

    @property
    def images_per_s(self) -> float:
        """Over its whole life."""
        return self.stream.num_images / max(self.stream.lasted_s, 1e-9)


@dataclass(frozen=True)
class DamagedShard:
    """A shard in which damaged records were read."""

    file: str
    healed: int
    refused: int


def stream_rows(metrics: ServiceMetrics) -> list[StreamRow]:
    """All open streams, by split and rank."""
    now = perf_counter()
    return [_row(meter, now) for meter in metrics.open_streams()]


def total_rows(metrics: ServiceMetrics) -> list[TotalRow]:
    """By split; those that nobody has read are left out."""
    by_split: dict[str, TotalRow] = {}
    num_finished, open_streams = metrics.finished.by_split(), [meter.request.split for meter in metrics.open_streams()]
    for (split, _), total in metrics.totals().items():
        row = by_split.get(split) or TotalRow(split, open_streams.count(split), num_finished[split], 0, 0, 0, 0)
        by_split[split] = replace(
            row,
            images=row.images + total.images,
            num_bytes=row.num_bytes + total.num_bytes,
            service_s=row.service_s + total.service_s,
            reader_s=row.reader_s + total.reader_s,
        )
    return [by_split[split] for split in sorted(by_split)]


def finished_rows(metrics: ServiceMetrics) -> list[FinishedRow]:
    """The last ones, newest first."""
    now = perf_counter()
    return [
        FinishedRow(stream, duration(max(0.0, now - stream.ended_s)), duration(stream.lasted_s))
        for stream in metrics.finished.newest_first()
    ]


def damaged_shards(metrics: ServiceMetrics) -> list[DamagedShard]:
    """Those with the most damage first."""
    healed, refused = metrics.damage.healed.copy(), metrics.damage.refused.copy()
    return [DamagedShard(file, healed[file], refused[file]) for file, _ in (healed + refused).most_common()]


def _row(meter: StreamMeter, now: float) -> StreamRow:
    recent, waits, request = meter.recent(now), meter.waits(now), meter.request
    return StreamRow(
        split=request.split,
        rank=request.rank,
        ranks=request.ranks,
        peer=meter.peer.partition(":")[2] or meter.peer,
        epoch=request.epoch,
        next_step=meter.next_step,
        num_steps=request.rank_slice.num_steps,
        images_per_s=recent.images_per_s,
        service_share=recent.service_share,
        reader_share=recent.reader_share,
        who=waits.who,
        lasted=duration(waits.lasted_s),
    )
