"""Archives with something wrong: they give what is left of them, or one line, and nothing is written."""

import io
import os
import resource
import tarfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from datagen_server.importing.sources.detection import Hints, open_sources
from shared.errors import Unavailable, UsageError
from tests.datagen_server.importing.sources.building import SAMPLES, by_label, tar, write, zipped
from tests.datagen_server.importing.sources.reading import GOOD, entries_of, outcome, refused
from tests.shared.images.files import picture_file


def test_paths_that_leave_an_archive_are_said_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("evil.tar", "evil.zip"):
        path = tmp_path / name
        names = ["../evil.png", "/evil2.png", "a/../../evil3.png", "ab.png"]
        if name == "evil.tar":
            with tarfile.open(path, "w") as archive:
                for member in names:
                    info = tarfile.TarInfo(member)
                    info.size = len(GOOD)
                    archive.addfile(info, io.BytesIO(GOOD))
                link = tarfile.TarInfo("link.png")
                link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(link)
        else:
            with zipfile.ZipFile(path, "w") as zip_archive:
                for member in names:
                    zip_archive.writestr(member, GOOD)
        expected = {"good": 1, "path_outside_source": 3}
        assert outcome(path) == (expected | {"unreadable_file": 1} if name == "evil.tar" else expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar", "evil.zip"]


def test_archives_that_are_cut_off_give_what_is_left_of_them(tmp_path: Path) -> None:
    write(tmp_path / "data", {f"ab_{n}.png": picture_file(seed=n) for n in range(50)})
    for mode, name in (("w", "a.tar"), ("w:gz", "b.tgz"), ("w:bz2", "c.tar.bz2"), ("w:xz", "d.tar.xz")):
        path = tar(tmp_path / name, tmp_path / "data", mode)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        try:
            counts = outcome(path)
        except UsageError:
            continue
        assert 0 < counts["good"] < 50
        assert counts.keys() & {"damaged_source", "unreadable_file"}
    whole = zipped(tmp_path / "e.zip", tmp_path / "data").read_bytes()
    (tmp_path / "e.zip").write_bytes(whole[: len(whole) // 2])
    assert "is not a zip archive" in refused(tmp_path / "e.zip")


def test_damage_within_a_zip_costs_only_its_picture(tmp_path: Path) -> None:
    write(tmp_path / "data", by_label())
    path = zipped(tmp_path / "a.zip", tmp_path / "data")
    data = bytearray(path.read_bytes())
    place = data.index(SAMPLES[0][1]) + 50
    data[place] ^= 1
    path.write_bytes(data)
    assert outcome(path) == {"good": 3, "unreadable_file": 1}


def test_a_zip_made_in_china_has_its_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XXXXXX.png", GOOD)
    path.write_bytes(path.read_bytes().replace(b"XXXXXX", "验证码".encode("gbk")))
    assert [entry.label for entry in entries_of(path)] == ["验证码"]


def test_members_without_a_name_are_said_and_the_others_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("X", "ab.png", "./"):
            archive.writestr(name, b"" if name == "./" else GOOD)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"X", b"\0"))  # zipfile ends a name there.
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for name in ("", "ab.png"):
            info = tarfile.TarInfo(name)
            info.size = len(GOOD)
            archive.addfile(info, io.BytesIO(GOOD))
    for name in ("a.zip", "b.tar"):
        entries = {entry.name: entry.detail for entry in entries_of(tmp_path / name)}
        assert entries == {".": "it has no name", "ab.png": ""}


def open_all(path: Path, stack: ExitStack) -> None:
    for one in open_sources(path, Hints(), path.parent):
        stack.callback(one.source.close)


def test_more_archives_than_open_files_are_one_line(tmp_path: Path) -> None:
    write(tmp_path / "data", by_label())
    (tmp_path / "tars").mkdir()
    for number in range(40):
        tar(tmp_path / "tars" / f"{number}.tar", tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with pytest.raises(Unavailable, match=r"too many open files: .*; raise the limit \(ulimit -n\)"):
            open_all(tmp_path / "tars", stack)
