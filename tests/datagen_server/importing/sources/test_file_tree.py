"""Folders with something wrong: what cannot be read is said, and the rest is read."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.datagen_server.importing.sources.building import by_label, write
from tests.datagen_server.importing.sources.reading import GOOD, entries_of, outcome
from tests.support.without_privileges import forbidden, prefix


def test_links_that_lead_nowhere_or_in_a_circle_are_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", by_label())
    (data / "self.png").symlink_to("self.png")
    (data / "gone.png").symlink_to("nothing.png")
    (data / "again").symlink_to(data)
    os.mkfifo(data / "pipe.png")
    (data / "other.png").symlink_to(data / "abc.png")
    expected = {"good": 5, "unreadable_file": 3, "unreadable_folder": 1}
    assert outcome(data) == expected


def test_a_name_that_is_no_utf8_is_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", by_label())
    with open(os.fsencode(data) + b"/f\xfcr.png", "wb") as file:
        file.write(GOOD)
    assert outcome(data) == {"good": 4, "label_not_text": 1}


def test_a_folder_of_another_user_is_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "secret/xyz.png": GOOD})
    code = "from datagen_server.importing.sources.file_tree import Folder; from pathlib import Path; import sys; "
    code += "print([str(one) for one in Folder(Path(sys.argv[1])).unread])"
    command = [*prefix(), sys.executable, "-c", code, str(data)]
    with forbidden(data / "secret"):
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "secret" in told
    assert "Permission denied" in told


def test_pictures_that_are_none_are_said_with_those_of_other_formats(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "text.png": "text", "x.tiff": b"II*\0", "empty.png": b""})
    assert outcome(data) == {"good": 4, "not_a_picture": 3}


@pytest.mark.long
def test_a_hundred_thousand_files_in_one_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(100_000):
        os.close(os.open(f"{data}/abc_{number}.png", os.O_CREAT))
    assert Counter(entry.label for entry in entries_of(data)) == {"abc": 100_000}
