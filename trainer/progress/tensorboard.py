"""TensorBoard event files in RUN/tensorboard, one for each start of the run, written by tensorboardX.

Note: they are written by the training thread at each log interval. tensorboardX's own `SummaryWriter` has a thread for
that; when the disk is full the thread dies, and the training waits for it for ever.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from trainer.config import TrainerConfig
from trainer.run_dir import MetricsRow, RunDir

try:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.summary import scalar
except ImportError:
    EventsWriter = None

_LOG = logging.getLogger(__name__)


class TensorboardWriter:
    """Writes the values of metrics.jsonl under the same names. A disk that fails ends the writing, not the training."""

    def __init__(self, folder: Path, done: int) -> None:
        """done: steps that are done; what an earlier start of the run wrote of later ones is not shown any more."""
        folder.mkdir(parents=True, exist_ok=True)
        self._writer: Any = EventsWriter(str(folder / "events"))
        if done:
            self._write(Event(step=done + 1, session_log=SessionLog(status=SessionLog.START)))

    def step(self, done: int, loss: float) -> None:
        """Nothing: log intervals are enough."""

    def log(self, row: MetricsRow) -> None:
        """Adds one log interval."""
        values = {"loss": row.loss, "lr": row.lr, "grad_norm": row.grad_norm, "images_per_s": row.images_per_s}
        values |= {f"wait_share/rank_{rank}": share for rank, share in enumerate(row.rank_wait_shares)}
        if row.valid_accuracy is not None:
            values["valid_accuracy"] = row.valid_accuracy
        for name, value in values.items():
            self._write(Event(step=row.step, summary=scalar(name, value)))

    def close(self) -> None:
        """Ends writing."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, event: Any) -> None:
        if self._writer is None:
            return
        event.wall_time = time.time()
        try:
            self._writer.write_event(event)
            self._writer.flush()
        except OSError as error:
            _LOG.warning("no more TensorBoard events: %s", error.strerror)
            self._writer = None


def check_tensorboard(config: TrainerConfig) -> None:
    """Raises `UsageError` when event files are asked for and tensorboardX is not installed."""
    if config.tensorboard and EventsWriter is None:
        raise UsageError(
            "tensorboard=true needs tensorboardX, which is not installed: pip install 'tensorboardX>=2.6.5'"
        )


@contextmanager
def tensorboard_events(config: TrainerConfig, run: RunDir, done: int) -> Iterator[list[TensorboardWriter]]:
    """The observer that writes event files during the block, if the configuration asks for it."""
    if not config.tensorboard:
        yield []
        return
    try:
        writer = TensorboardWriter(run.path / "tensorboard", done)
    except OSError as error:
        raise run.write_error(error) from error
    try:
        yield [writer]
    finally:
        writer.close()
