"""Renders damaged records again, or refuses them when this renderer would draw other pixels."""

import logging
import threading
from collections import Counter
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards.manifest import Shard
from datagen_server.sources.sample_source import DamageCounts
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import Dataset
from shared.errors import DataLoss, UsageError
from shared.protocol.batch import label_of

_LOG = logging.getLogger(__name__)


class Healer:
    """Gives the samples of `dataset` whose records are damaged, and counts them in `damage`. Safe for many threads.

    Each count is logged whenever it doubles, so that a lost shard does not fill the log.
    """

    def __init__(self, dataset: Dataset, damage: DamageCounts, font_files: FontFiles = NO_FONTS) -> None:
        self._dataset, self._damage, self._font_files = dataset, damage, font_files
        self._lock = threading.Lock()

    @cached_property
    def refusal(self) -> str:
        """Why this renderer cannot draw the pixels of the data set; empty when it can.

        Computed at the first damage, because it renders probe samples.
        """
        if self._dataset.spec.is_imported:
            return "it is an imported picture, `verify --repair --source SOURCE` makes it again from the original"
        try:
            own = fingerprint(self._dataset.spec, self._font_files)
        except UsageError as error:
            return str(error)
        if own == self._dataset.fingerprint:
            return ""
        return f"this renderer has fingerprint {own[:12]}, the shards {self._dataset.fingerprint[:12]}"

    def sample(self, shard: Shard, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Image and label of a sample whose record is damaged; `DataLoss` naming shard and index when refused."""
        if self.refusal:
            self._count(self._damage.refused, shard, index, "refused; restore the file from a copy")
            problem = f"{shard.file}: the record of index {index} of {shard.split} is damaged or missing"
            problem = f"{problem} and cannot be rendered again: {self.refusal}"
            raise DataLoss(f"{problem}; restore the file from a copy")
        self._count(self._damage.healed, shard, index, "rendered again; verify --repair repairs the file")
        image, text = self._renderer.render(shard.split, index)
        return image, label_of(text, self._dataset.spec.alphabet, self._dataset.spec.max_length)

    @cached_property
    def _renderer(self) -> CaptchaRenderer:
        return CaptchaRenderer(self._dataset.spec, self._font_files)

    def _count(self, counter: "Counter[str]", shard: Shard, index: int, outcome: str) -> None:
        with self._lock:
            counter[shard.file] += 1
            total = counter[shard.file]
        if total & (total - 1) == 0:
            _LOG.warning("%s: damaged record of index %d %s (%d so far)", shard.file, index, outcome, total)
