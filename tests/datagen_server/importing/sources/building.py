"""Small sources of every kind with the same pictures and labels."""

import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lmdb

from tests.shared.images.files import picture_file

Samples = Sequence[tuple[str, bytes]]
"Label and file of each picture."
SAMPLES: Samples = [
    ("abc", picture_file(seed=1)),
    ("b2", picture_file(form="JPEG", seed=2)),
    ("Ca", picture_file(30, 20, seed=3)),
    ("1114", picture_file(seed=4)),
]


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Files below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_lmdb(folder: Path, samples: Samples, extra: Mapping[bytes, bytes | None] | None = None) -> Path:
    """An OCR LMDB as people make them, with lock file; extra: entries put, or with None taken away, in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(folder), map_size=2**27, lib_version=0) as env, env.begin(write=True) as transaction:
        for number, (label, file) in enumerate(samples, start=1):
            transaction.put(b"image-%09d" % number, file)
            transaction.put(b"label-%09d" % number, label.encode())
        transaction.put(b"num-samples", str(len(samples)).encode())
        for key, value in (extra or {}).items():
            if value is None:
                transaction.delete(key)
            else:
                transaction.put(key, value)
    return folder


def tar(path: Path, folder: Path, mode: str = "w") -> Path:
    """The files below `folder` as a tar."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname=".")
    return path


def zipped(path: Path, folder: Path) -> Path:
    """The files below `folder` as a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def suffix_of(file: bytes) -> str:
    return ".png" if file.startswith(b"\x89PNG") else ".jpg"


def by_label(samples: Samples = SAMPLES) -> dict[str, bytes]:
    """LABEL.png for each."""
    return {f"{label}{suffix_of(file)}": file for label, file in samples}


def listed(samples: Samples = SAMPLES) -> dict[str, bytes]:
    """images/N.png for each."""
    return {f"images/{number}{suffix_of(file)}": file for number, (_, file) in enumerate(samples)}


def lines(separator: str, samples: Samples = SAMPLES, end: str = "\n") -> str:
    """A line for each of `listed`."""
    names = listed(samples)
    return "".join(f"{name}{separator}{label}{end}" for name, (label, _) in zip(names, samples, strict=True))


def pairs(samples: Samples = SAMPLES, extension: str = "txt") -> dict[str, bytes | str]:
    """N.png and N.txt for each."""
    files: dict[str, bytes | str] = {}
    for number, (label, file) in enumerate(samples):
        files[f"{number:06d}{suffix_of(file)}"] = file
        files[f"{number:06d}.{extension}"] = json.dumps({"text": label}) if extension == "json" else label
    return files


def _json_lines() -> str:
    rows = zip(listed(), SAMPLES, strict=True)
    return "".join(json.dumps({"file_name": name, "text": label}) + "\n" for name, (label, _) in rows)


def _numbered(form: str) -> dict[str, bytes | str]:
    return {
        form.format(label=label, number=number) + suffix_of(file): file
        for number, (label, file) in enumerate(SAMPLES, start=17)
    }


BUILDERS: Mapping[str, Callable[[Path], Path]] = {
    "LABEL.png": lambda path: write(path, by_label()),
    "LABEL_17.png": lambda path: write(path, _numbered("{label}_{number}")),
    "00017-LABEL.png": lambda path: write(path, _numbered("{number:05d}-{label}")),
    "tab": lambda path: write(path, {**listed(), "gt.txt": lines("\t")}),
    "space": lambda path: write(path, {**listed(), "labels.txt": lines(" ")}),
    "comma": lambda path: write(path, {**listed(), "labels.txt": lines(", ")}),
    "csv": lambda path: write(path, {**listed(), "labels.csv": "filename,label\n" + lines(",")}),
    "names without their folder": lambda path: write(
        path, {**listed(), "labels.csv": "filename,label\n" + lines(",").replace("images/", "")}
    ),
    "jsonl": lambda path: write(path, {**listed(), "metadata.jsonl": _json_lines()}),
    "CR line ends": lambda path: write(path, {**listed(), "gt.txt": lines("\t", end="\r")}),
    "UTF-8 with BOM": lambda path: write(path, {**listed(), "gt.txt": lines("\t", end="\r\n").encode("utf-8-sig")}),
    "UTF-16": lambda path: write(path, {**listed(), "gt.txt": lines("\t", end="\r\n").encode("utf-16")}),
    "UTF-16 without BOM": lambda path: write(path, {**listed(), "gt.txt": lines("\t").encode("utf-16-le")}),
    "pairs": lambda path: write(path, pairs()),
    "pairs with JSON": lambda path: write(path, pairs(extension="json")),
    "one label file": lambda path: write(path, {**listed(), "gt.txt": lines("\t")}) / "gt.txt",
    "LMDB": lambda path: write_lmdb(path, SAMPLES),
    "nested LMDB": lambda path: write_lmdb(path / "MJ" / "part", SAMPLES).parent.parent,
    "single-file LMDB": lambda path: (write_lmdb(path, SAMPLES) / "data.mdb").rename(path / "all.lmdb"),
    "tar": lambda path: tar(path.with_suffix(".tar"), write(path, by_label())),
    "compressed tar": lambda path: tar(path.with_suffix(".tgz"), write(path, by_label()), "w:gz"),
    "tar of pairs": lambda path: tar(path.with_suffix(".tar"), write(path, pairs())),
    "tar with a label file": lambda path: tar(path.with_suffix(".tar"), BUILDERS["tab"](path)),
    "tar of an LMDB": lambda path: tar(path.with_suffix(".tar"), write_lmdb(path, SAMPLES)),
    "zip": lambda path: zipped(path.with_suffix(".zip"), write(path, by_label())),
    "zip of an LMDB": lambda path: zipped(path.with_suffix(".zip"), write_lmdb(path, SAMPLES)),
    "folder of tars": lambda path: tar(path.with_name("shards.tar"), write(path / "x", pairs())).rename(
        _made(path.with_name("tars")) / "shards.tar"
    ).parent,
}  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
