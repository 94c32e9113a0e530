"""What one rank writes in the run directory: nothing before its first step is taken.

So a start that fails, for a port that is taken or a batch that is too large, leaves nothing behind, and the corrected
command just works.
"""

from collections.abc import Callable
from pathlib import Path

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import Dataset
from shared.recogniser.checkpoint_info import read_info
from shared.system.directory_lock import lock_directory, make_directory
from trainer.audit.receipt_files import ReceiptHeader, ReceiptWriter
from trainer.config import TrainerConfig
from trainer.run_dir import RunDir
from trainer.training.compatibility import SPLIT


class RunFiles:
    """The files of the rank that `rank_slice` is of."""

    def __init__(self, run: RunDir, config: TrainerConfig, dataset: Dataset, rank_slice: RankSlice) -> None:
        self._run, self._config, self._dataset, self._slice = run, config, dataset, rank_slice
        self._receipts: ReceiptWriter | None = None

    @property
    def are_open(self) -> bool:
        """Whether a step has been taken."""
        return self._receipts is not None

    def receipts(self, done: int) -> ReceiptWriter:
        """The first call, when `done` steps lie before the files, writes the configuration and removes later lines."""
        if self._receipts is None:
            if self._slice.rank == 0:
                self._run.begin(self._config)
                self._run.cut_metrics(done)
            self._receipts = ReceiptWriter(self._run.receipts, self._header(done))
        return self._receipts

    def save_alone(self, done: int, write: Callable[[], str]) -> str:
        """Has `write` write the checkpoint after `done` steps, without the other ranks; returns the `.ckpt`.

        They may be waiting for this rank in a step, and all have the same weights. One that also saves comes first or
        after.
        """
        self.receipts(done).sync()
        folder = self._run.checkpoint_folder(self._config)
        make_directory(folder)
        with lock_directory(folder, wait=True):
            found: list[Path] = self._run.checkpoints(self._config)
            return str(found[-1]) if found and read_info(found[-1]).global_step == done else write()

    def close(self) -> None:
        """Ends writing."""
        if self._receipts is not None:
            self._receipts.close()

    def _header(self, done: int) -> ReceiptHeader:
        return ReceiptHeader(
            resumed_after=done,
            rank=self._slice.rank,
            ranks=self._slice.ranks,
            split=SPLIT,
            count=self._slice.count,
            global_batch_size=self._slice.global_batch_size,
            order_seed=self._config.seed,
            shuffle=self._config.shuffle,
            fingerprint=self._dataset.fingerprint,
        )
