"""Imports for tests, in this thread."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen_server.importing.decide import Choices
from datagen_server.importing.import_pictures import ImportRequest, import_pictures
from datagen_server.importing.labels import LabelRules
from datagen_server.importing.report import ImportReport
from datagen_server.importing.sources.detection import Hints
from datagen_server.sources.shard_source import ShardSource
from datagen_server.workers.executors import Workers
from shared.dataset.fit import Fit
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode
from tests.datagen_server.shards.building import one_worker
from tests.shared.images.files import picture_file

Samples = Mapping[str, Sequence[tuple[str, NDArray[np.uint8]]]]
"Label and pixels of each sample, by split."


def request(*paths: Path | tuple[str, Path], **values: Any) -> ImportRequest:
    """With every choice at its default but for `values`, whose names are those of the fields of all its parts."""
    choices = {name: values.pop(name) for name in ("size", "alphabet", "valid_share", "test_share") if name in values}
    rules = {name: values.pop(name) for name in ("strip", "case", "mapping") if name in values}
    hints = {name: values.pop(name) for name in ("kind", "label_pattern", "encoding") if name in values}
    return ImportRequest(
        paths=[path if isinstance(path, tuple) else (None, path) for path in paths],
        hints=Hints(**hints),
        rules=LabelRules(**rules),
        choices=Choices(fit=values.pop("fit", Fit()), **choices),
        codec=values.pop("codec", Codec.ZSTD),
        shard_size=values.pop("shard_size", 16),
        **values,
    )


def quiet(stage: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


def run(
    wanted: ImportRequest,
    out: Path,
    open_workers: Callable[[], AbstractContextManager[Workers]] = one_worker,
) -> ImportReport:
    told: list[ImportReport] = []
    report = import_pictures(wanted, out, open_workers, quiet, told.append)
    assert told == [report]
    return report


def imported(*paths: Path | tuple[str, Path], out: Path, **values: Any) -> dict[str, Any]:
    """The facts of the report."""
    return dict(run(request(*paths, **values), out).facts)


def samples_of(shards: Path) -> Samples:
    """Everything in a set of shards."""
    with closing(ShardSource(shards)) as source:
        dataset = source.dataset
        samples = {}
        for split, count in dataset.counts.items():
            records = source.read(split, np.arange(count, dtype=np.uint64), Codec.RAW).result()
            images = decode(
                [b"".join(records.payloads)], Codec.RAW, (count * dataset.spec.height, dataset.spec.width, 3)
            )
            labels = [text_of(label, dataset.spec.alphabet) for label in records.labels]
            samples[split] = list(zip(labels, images.reshape(count, *dataset.spec.image_shape), strict=True))
    return samples


def contents(samples: Samples) -> dict[str, set[tuple[str, bytes]]]:
    """To be compared, whatever the order."""
    return {split: {(label, image.tobytes()) for label, image in group} for split, group in samples.items()}


def files_of(folder: Path) -> dict[str, bytes]:
    """All files that are not hidden."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def many(num: int = 60, first: int = 0) -> dict[str, bytes]:
    """LABEL_NUMBER.png of pictures of several sizes, formats and modes."""
    files = {}
    for number in range(first, first + num):
        form = ("PNG", "JPEG", "WEBP", "BMP")[number % 4]
        size = ((160, 64), (100, 40), (160, 64))[number % 3]
        files[f"{number % 7}x{number % 11}_{number}.{form.lower()}"] = picture_file(*size, form=form, seed=number)
    return files
