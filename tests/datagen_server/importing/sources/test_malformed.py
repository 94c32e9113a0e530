"""Sources with something wrong: each gives a reason for that and its good pictures, or one line."""

import io
import os
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import lmdb
import pytest

from datagen_server.importing.labels import LabelError, LabelRules
from datagen_server.importing.reasons import Reason
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.sources.picture_source import PictureEntry
from shared.errors import Unavailable, UsageError
from shared.images.decode import PictureError, decode_picture
from tests.datagen_server.importing.sources.building import (
    SAMPLES,
    by_label,
    lines,
    listed,
    pairs,
    tar,
    write,
    write_lmdb,
    zipped,
)
from tests.shared.images.files import picture_file
from tests.support.without_privileges import forbidden, prefix

GOOD = picture_file(seed=9)


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


# Labels


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (b"", "empty_label"),
        (b"abc\r", "good"),
        (b" ab", "space_at_end_of_label"),
        (b"ab ", "space_at_end_of_label"),
        (b"a b", "good"),
        (b"ab\x00", "control_character_in_label"),
        (b"x" * 32, "good"),
        (b"x" * 40, "label_too_long"),
        (b"x" * 5000, "label_too_long"),
        ("für".encode(), "good"),
        ("验证码".encode("gbk"), "good"),
        (b"\xff\xff\xff", "label_not_text"),
        ("a\u200bb".encode(), "character_outside_alphabet"),
        ("x\u030c".encode(), "character_outside_alphabet"),
    ],
)
def test_labels_in_an_lmdb(tmp_path: Path, label: bytes, reason: str) -> None:
    path = write_lmdb(tmp_path / "ocr", [("ab", GOOD), ("cd", GOOD)], {b"label-000000002": label})
    assert outcome(path) == dict(Counter(["good", reason]))


def test_labels_are_composed_folded_and_mapped() -> None:
    assert LabelRules().apply("u\u0308") == "ü"
    assert LabelRules(case="lower").apply("AbC") == "abc"
    assert LabelRules(case="upper", mapping={"0": "O"}).apply("a0\r\n") == "AO"
    assert LabelRules(strip=True).apply(" a b ") == "a b"
    with pytest.raises(LabelError, match=r"its label holds 'c' \(U\+0063\)"):
        LabelRules(alphabet="ab").apply("abc")


# Label files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("images/0.png\tab\nimages/none.png\tcd\n", {"good": 1, "missing_picture": 1}),
        ("images/0.png\tab\n../../etc/passwd.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images/0.png\tab\n/etc/passwd.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images/0.png\tab\nC:\\pictures\\1.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images\\0.png\tab\n", {"good": 1}),
        ("images/0.png\tab\nnothing that has a form\n", {"good": 1, "malformed_line": 1}),
        ("images/0.png\n", {"empty_label": 1}),
        ("images/0.png\t\n", {"empty_label": 1}),
        ("train_data/rec/images/0.png\tab\n", {"good": 1}),
        ('images/0.png, "a""b"\n', {"good": 1}),
        ("images/0.png a b c\n", {"good": 1}),
        ("images/0.png\ta\x00b\n", {"control_character_in_label": 1}),
        ("\n\nimages/0.png\tab\n\n", {"good": 1}),
    ],
)
def test_lines_of_a_label_file(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    write(tmp_path / "data", {"images/0.png": GOOD, "gt.txt": text})
    assert outcome(tmp_path / "data" / "gt.txt") == expected


def test_a_name_alone_means_a_picture_in_another_folder_only_where_no_other_is_called_so(tmp_path: Path) -> None:
    files = ("a/0.png", "b/0.png", "a/1.png")
    pictures = {name: picture_file(seed=seed) for seed, name in enumerate(files)}
    data = write(tmp_path / "data", {**pictures, "labels.csv": "filename,label\n0.png,ab\n1.png,cd\nx/1.png,ef\n"})
    assert outcome(data) == {"good": 1, "missing_picture": 2, "no_label": 2}
    (opened,) = open_sources(data, Hints(), tmp_path)
    list(opened.source.entries())
    assert opened.source.notes[1] == "1 pictures found in other folders by their names alone: 1.png is a/1.png"


@pytest.mark.parametrize("label_file", ["test/labels.csv", "test.csv"])
def test_a_missing_picture_is_not_taken_from_another_split(tmp_path: Path, label_file: str) -> None:
    files: dict[str, bytes | str] = {"train/3.png": GOOD, "test/4.png": picture_file(seed=4)}
    text = "filename,label\n3.png,ab\n4.png,cd\n"
    data = write(tmp_path / "data", {**files, label_file: text, "train/labels.csv": "filename,label\n3.png,ef\n"})
    assert outcome(data) == {"good": 2, "missing_picture": 1}


def test_quotes_spaces_and_separators_in_labels_are_kept(tmp_path: Path) -> None:
    for text, label in (
        ('images/0.png, "say ""a, b"""\n', 'say "a, b"'),
        ('images/0.png\t"ab"\n', '"ab"'),
        ("images/0.png a b  c\n", "a b  c"),
        ("images/0.png\ta,b\n", "a,b"),
    ):
        write(tmp_path / "data", {"images/0.png": GOOD, "gt.txt": text})
        (entry,) = entries_of(tmp_path / "data" / "gt.txt")
        assert entry.label == label


def test_pictures_that_no_label_file_lists_are_said(tmp_path: Path) -> None:
    write(tmp_path / "data", {**listed(), "images/more.png": GOOD, "gt.txt": lines("\t"), "README.md": "hello"})
    assert outcome(tmp_path / "data") == {"good": 4, "no_label": 1}
    (one,) = open_sources(tmp_path / "data", Hints(), tmp_path)
    assert one.source.notes == ["labels from gt.txt (utf-8)", "ignored 1 other files: README.md"]


def test_label_files_in_gbk_are_read_and_others_refused_with_the_line(tmp_path: Path) -> None:
    write(tmp_path / "data", {"a.png": GOOD, "gt.txt": "a.png\t验证码\n".encode("gbk")})
    (entry,) = entries_of(tmp_path / "data")
    assert entry.label == "验证码"
    write(tmp_path / "data", {"gt.txt": b"a.png\tab\na.png\t\xff\xff\n"})
    assert "gt.txt line 2 is not UTF-8, UTF-16 or GBK text" in refused(tmp_path / "data")
    write(tmp_path / "data", {"gt.txt": "a.png\tfür\n".encode("latin-1")})
    (entry,) = entries_of(tmp_path / "data", Hints(encoding="latin-1"))
    assert entry.label == "für"
    assert "there is no encoding 'klingon'" in refused(tmp_path / "data", Hints(encoding="klingon"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file;text\n0.png;ab\n1.png\n", {"good": 1, "malformed_line": 1}),
        ('label,image\n"a,b",0.png\n', {"good": 1}),
        ("file_name\ttext\n0.png\tab\n", {"good": 1}),
        ('file,text\n0.png,"ab\n', {"good": 1}),
        ("file,text\n" + "0.png," + "x" * 200_000 + "\n0.png,ab\n", {"good": 1, "malformed_line": 1}),
    ],
)
def test_lines_of_csv(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    write(tmp_path / "data", {"0.png": GOOD, "labels.csv": text})
    assert outcome(tmp_path / "data" / "labels.csv") == expected


def test_lines_of_json(tmp_path: Path) -> None:
    text = '{"image": "0.png", "label": 17}\n{"image": "0.png"}\n[1]\n{"image\n' + "[" * 100_000 + "\n"
    write(tmp_path / "data", {"0.png": GOOD, "metadata.jsonl": text})
    assert outcome(tmp_path / "data" / "metadata.jsonl") == {"good": 1, "malformed_line": 4}


# Folders


def test_names_with_spaces_umlauts_chinese_and_quotes(tmp_path: Path) -> None:
    labels = ["a b", "für", "fu\u0308r2", "验证码", "it's", 'say "a"', "a.b", "(x)"]
    write(tmp_path / "data", {f"{label}.png": GOOD for label in labels})
    found = sorted(LabelRules().apply(entry.label) for entry in entries_of(tmp_path / "data"))
    assert found == sorted(["a b", "für", "für2", "验证码", "it's", 'say "a"', "a.b", "(x)"])


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


def test_names_that_can_be_read_in_two_ways_are_asked_about(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**{f"ab_{n}.png": GOOD for n in range(5)}, **by_label()})
    assert "56% of the names look like LABEL_NUMBER (ab_0.png), the others not" in refused(data)
    hints = Hints(label_pattern=r"(?P<label>[^/_]+)[^/]*$")
    assert {entry.label for entry in entries_of(data, hints)} == {"ab", "abc", "b2", "Ca", "1114"}
    assert "must have a group called label" in refused(data, Hints(label_pattern="a.*"))
    assert "no regular expression" in refused(data, Hints(label_pattern="(?P<label>"))


def test_a_few_names_without_the_number_are_skipped_by_name(tmp_path: Path) -> None:
    names = {f"{n % 7}ab_{n}.png": GOOD for n in range(40)}
    data = write(tmp_path / "data", {**names, "IMG.png": GOOD})
    assert outcome(data) == {"good": 40, "no_label": 1}


def test_labels_with_a_hyphen_are_no_running_numbers(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {f"{n % 3}-{n}.png": GOOD for n in range(9)})
    assert {entry.label for entry in entries_of(data)} == {f"{n % 3}-{n}" for n in range(9)}


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("training/MJ/MJ_test", "train"),
        ("validation", "valid"),
        ("evaluation/SVT", "test"),
        ("Test", "test"),
        ("x", None),
    ],
)
def test_folders_name_the_split(tmp_path: Path, folder: str, split: str | None) -> None:
    write(tmp_path / "data", {f"{folder}/test.png": GOOD})
    assert [entry.split for entry in entries_of(tmp_path / "data")] == [split]
    write_lmdb(tmp_path / "ocr" / folder, [("ab", GOOD)])
    assert [entry.split for entry in entries_of(tmp_path / "ocr")] == [split]


def test_label_files_and_archives_name_the_split(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**listed(), "rec_gt_train.txt": lines("\t"), "rec_gt_test.txt": lines("\t")})
    assert Counter(entry.split for entry in entries_of(data)) == {"train": 4, "test": 4}
    write(tmp_path / "x", by_label())
    (tmp_path / "archives").mkdir()
    tar(tmp_path / "archives" / "train-0000.tar", tmp_path / "x")
    tar(tmp_path / "archives" / "test-0000.tar", tmp_path / "x")
    assert Counter(entry.split for entry in entries_of(tmp_path / "archives")) == {"train": 4, "test": 4}


def test_what_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in refused(tmp_path / "empty")
    assert "does not exist" in refused(tmp_path / "none")
    write(tmp_path, {"a.xyz": "text", "broken.tar": "text", "broken.zip": "text", "b.txt": "x"})
    assert "is nothing to import from" in refused(tmp_path / "a.xyz")
    assert "is not a tar archive" in refused(tmp_path / "broken.tar")
    assert "holds no label file" in refused(tmp_path / "empty", Hints(kind="labels"))
    assert "holds no LMDB file" in refused(tmp_path / "empty", Hints(kind="ocr-lmdb"))


@pytest.mark.long
def test_a_hundred_thousand_files_in_one_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(100_000):
        os.close(os.open(f"{data}/abc_{number}.png", os.O_CREAT))
    assert Counter(entry.label for entry in entries_of(data)) == {"abc": 100_000}


# The alphabet beside


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk"])
def test_dict_txt_gives_the_alphabet(tmp_path: Path, encoding: str) -> None:
    data = write(write_lmdb(tmp_path / "ocr" / "train", SAMPLES).parent, {"dict.txt": "码\nb\na\n".encode(encoding)})
    assert [one.alphabet for one in open_sources(data, Hints(), tmp_path)] == ["码ba"]


def test_a_folder_called_dict_txt_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "dict.txt/a.png": GOOD})
    assert "dict.txt is a folder" in refused(data)


# LMDBs


@pytest.mark.parametrize(
    ("extra", "expected", "words"),
    [
        ({}, {"good": 4}, "num-samples says the same"),
        ({b"num-samples": b"1000000000"}, {"good": 4}, "num-samples says '1000000000', which is wrong"),
        ({b"num-samples": b"2"}, {"good": 4}, "num-samples says '2', which is wrong"),
        ({b"num-samples": b"many"}, {"good": 4}, "num-samples says 'many', which is wrong"),
        ({b"num-samples": None}, {"good": 4}, "num-samples is absent"),
        ({b"image-000000002": None}, {"good": 3, "missing_picture": 1}, "3 pictures"),
        ({b"label-000000002": None}, {"good": 3, "no_label": 1}, "4 pictures"),
        ({b"image-000000002": b"text"}, {"good": 3, "not_a_picture": 1}, "4 pictures"),
        ({b"image-000000000": GOOD, b"label-000000000": b"zero"}, {"good": 5}, "5 pictures"),
        ({b"something-else": b"x", b"image-": b"y"}, {"good": 4}, "4 pictures"),
    ],
)
def test_entries_of_an_lmdb(
    tmp_path: Path, extra: dict[bytes, bytes | None], expected: dict[str, int], words: str
) -> None:
    path = write_lmdb(tmp_path / "ocr", SAMPLES, extra)
    assert outcome(path) == expected
    (one,) = open_sources(path, Hints(), tmp_path)
    list(one.source.entries())
    assert words in " ".join(one.source.notes)


def test_an_lmdb_of_many_pages_is_walked_in_order(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", [(f"n{number}", GOOD) for number in range(3000)])
    assert [entry.label for entry in entries_of(path)] == [f"n{number}" for number in range(3000)]


def test_an_lmdb_of_another_format_version_is_told_so(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", SAMPLES) / "data.mdb"
    with open(path, "r+b") as file:
        for page in (0, 4096):
            file.seek(page + 20)
            file.write(struct.pack("<I", 999))
    assert "is an LMDB file of format version 999, this reads version 1" in refused(path.parent)
    (tmp_path / "new").mkdir()
    lmdb.open(str(tmp_path / "new" / "data.mdb"), subdir=False, lib_version=1).close()
    assert "is an LMDB file" in refused(tmp_path / "new")


def test_what_is_no_lmdb_is_told_so(tmp_path: Path) -> None:
    write(tmp_path / "ocr", {"data.mdb": b"text"})
    assert "data.mdb is not an LMDB file" in refused(tmp_path / "ocr")


def test_a_damaged_lmdb_gives_what_is_left_of_it(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", [(f"n{number}", GOOD) for number in range(400)]) / "data.mdb"
    whole = path.read_bytes()
    for size in (len(whole) // 2, len(whole) - 4096):
        path.write_bytes(whole[:size])
        counts = outcome(path.parent)
        assert counts.keys() & {"damaged_source", "unreadable_file", "missing_picture", "no_label"}
    for place in range(8192, len(whole), 65_536):
        damaged = bytearray(whole)
        damaged[place : place + 64] = b"\xff" * 64
        path.write_bytes(damaged)
        assert outcome(path.parent).get("good", 0) < 401


# Names that only number the pictures


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["0.png", "1.png", "2.png", "labels.json"], "labels.json is no label file of a known form"),
        (["007.png", "008.png", "009.png", "labels.csv"], "labels.csv is no label file of a known form"),
        (["a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png"], "where the folder's name is the label"),
    ],
)
def test_names_that_only_number_the_pictures_are_no_labels(tmp_path: Path, files: list[str], words: str) -> None:
    write(tmp_path / "data", {name: GOOD if name.endswith(".png") else '{"0.png": "ab"}' for name in files})
    assert words in refused(tmp_path / "data")
    assert outcome(tmp_path / "data", Hints(kind="names"))["good"] == sum(name.endswith(".png") for name in files)


@pytest.mark.parametrize("files", [["0.png", "1.png", "2.png"], ["0.png", "17.png", "20.png", "readme.txt"]])
def test_names_of_digits_may_be_labels(tmp_path: Path, files: list[str]) -> None:
    write(tmp_path / "data", {name: GOOD if name.endswith(".png") else "Hello" for name in files})
    assert outcome(tmp_path / "data") == {"good": 3}


def test_a_csv_without_a_header_is_read(tmp_path: Path) -> None:
    write(tmp_path / "data", {"0.png": GOOD, "1.png": GOOD, "labels.csv": "0.png,ab\n1.png,cd\n"})
    assert [entry.label for entry in entries_of(tmp_path / "data")] == ["ab", "cd"]


# Archives


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


def test_pairs_that_lack_their_half_are_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**pairs(), "lone.png": GOOD, "text.txt": "ab", "bad.json": "{", "bad.png": GOOD})
    assert outcome(data) == {"good": 4, "no_label": 2, "missing_picture": 1}


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
