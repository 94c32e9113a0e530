"""WebDataset pairs of which one half is missing or of no use."""

from pathlib import Path

from tests.datagen_server.importing.sources.building import pairs, write
from tests.datagen_server.importing.sources.reading import GOOD, outcome


def test_pairs_that_lack_their_half_are_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**pairs(), "lone.png": GOOD, "text.txt": "ab", "bad.json": "{", "bad.png": GOOD})
    assert outcome(data) == {"good": 4, "no_label": 2, "missing_picture": 1}
