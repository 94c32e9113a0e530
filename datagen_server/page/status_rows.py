"""The rows of the status page: one for each open stream, one for each damaged shard."""

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from datagen_server.service.stream_metrics import ServiceMetrics, StreamMeter, Who

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
class DamagedShard:
    """A shard in which damaged records were read."""

    file: str
    healed: int
    refused: int


def stream_rows(metrics: ServiceMetrics) -> list[StreamRow]:
    """All open streams, by split and rank."""
    now = perf_counter()
    return [_row(meter, now) for meter in metrics.open_streams()]


def damaged_shards(metrics: ServiceMetrics) -> list[DamagedShard]:
    """Those with the most damage first."""
    healed, refused = metrics.damage.healed.copy(), metrics.damage.refused.copy()
    return [DamagedShard(file, healed[file], refused[file]) for file, _ in (healed + refused).most_common()]


def duration(seconds: float) -> str:
    """As text: 0.4 s, 12 s, 0:03:20."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return str(timedelta(seconds=int(seconds)))


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
