"""Sources read for tests: their entries, how many are good, or the one line that refuses them."""

from collections import Counter
from pathlib import Path

import pytest

from datagen_server.importing.labels import LabelError, LabelRules
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.sources.picture_source import PictureEntry
from datagen_server.importing.sources.reasons import Reason
from shared.errors import UsageError
from shared.images.decode import PictureError, decode_picture
from tests.shared.images.files import picture_file

GOOD = picture_file(seed=9)
"A file that is a good picture."


def entries_of(path: Path, hints: Hints | None = None, scratch: Path | None = None) -> list[PictureEntry]:
    entries: list[PictureEntry] = []
    for one in open_sources(path, hints or Hints(), scratch or path.parent):
        entries += one.source.entries()
        one.source.close()
    return entries


def outcome(path: Path, hints: Hints | None = None) -> dict[str, int]:
    """How many entries are good, and how many have each reason, after labels and pictures were looked at."""
    counts = Counter[str]()
    for one in open_sources(path, hints or Hints(), path.parent):
        for entry in one.source.entries():
            reason = entry.reason
            try:
                if reason is None:
                    LabelRules().apply(entry.label)
                    decode_picture(one.source.read(entry.name))
            except LabelError as error:
                reason = error.skip_reason
            except PictureError as error:
                reason = Reason(error.problem.value)
            counts[reason.value if reason else "good"] += 1
        one.source.close()
    return dict(counts)


def refused(path: Path, hints: Hints | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        entries_of(path, hints)
    assert "\n" not in str(caught.value)
    return str(caught.value)
