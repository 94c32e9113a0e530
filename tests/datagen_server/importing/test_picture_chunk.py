"""What workers find in a chunk of files, whether they are given their bytes or their paths."""

import os
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from datagen_server.importing import picture_chunk
from datagen_server.importing.picture_chunk import READ_BYTES, digest_of_file, examine_chunk
from datagen_server.importing.sources.file_tree import read_file
from datagen_server.shards.manifest import Manifest
from shared.errors import StreamingError
from shared.images.decode import MAX_FILE_BYTES, WHITE, PictureProblem
from shared.protocol.codec import Codec
from tests.datagen_server.importing.running import imported
from tests.shared.images.files import picture_file

FILES = [picture_file(seed=1), b"text", picture_file(30, 10, seed=2, form="JPEG"), b""]
LARGE = [picture_file(1400, 1040, seed=seed, form="BMP") for seed in range(5)]


def written(folder: Path, files: list[bytes]) -> list[str]:
    paths = [folder / f"{number:02}" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return [str(path) for path in paths]


def test_paths_give_what_bytes_give(tmp_path: Path) -> None:
    by_bytes = examine_chunk(FILES, WHITE, Codec.ZSTD)
    by_path = examine_chunk(written(tmp_path, FILES), WHITE, Codec.ZSTD)
    np.testing.assert_array_equal(by_path.rows, by_bytes.rows)
    assert by_path.payloads is not None
    assert by_bytes.payloads is not None
    np.testing.assert_array_equal(by_path.payloads, by_bytes.payloads)
    assert by_path.details == by_bytes.details
    assert not by_path.unreadable
    assert by_bytes.rows["file"].tobytes() == b"".join(map(digest_of_file, FILES))


def appended(chunk: list[bytes], pixels_file: Path) -> list[bytes]:
    """The encoded pixels of a chunk, from where they were appended."""
    found = examine_chunk(chunk, WHITE, Codec.ZSTD, pixels_file)
    assert found.payloads is None
    data = pixels_file.read_bytes()
    return [data[offset : offset + size] for offset, size in found.rows[["offset", "size"]].tolist()]


def payloads_of(chunk: list[bytes]) -> list[bytes]:
    found = examine_chunk(chunk, WHITE, Codec.ZSTD)
    assert found.payloads is not None
    data = found.payloads.tobytes()
    return [data[offset : offset + size] for offset, size in found.rows[["offset", "size"]].tolist()]


def test_pixels_that_several_append_at_once_lie_where_their_rows_say(tmp_path: Path) -> None:
    pixels_file = tmp_path / "pixels"
    pixels_file.write_bytes(b"before")
    chunks = [[picture_file(60, 40, seed=10 * chunk + number) for number in range(4)] for chunk in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(partial(appended, pixels_file=pixels_file), [*chunks, FILES, [b"text"], []]))
    assert found == [*map(payloads_of, chunks), payloads_of(FILES), [b""], []]
    assert pixels_file.stat().st_size == len(b"before") + sum(len(one) for payloads in found for one in payloads)


def test_pixels_that_lack_their_end_are_appended_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels_file, write_all, num_calls = tmp_path / "pixels", os.writev, 0
    pixels_file.touch()

    def writev(file: int, parts: Sequence[bytes]) -> int:
        nonlocal num_calls
        num_calls += 1
        return write_all(file, parts if num_calls == 2 else [b"".join(parts)[:5]])

    monkeypatch.setattr(os, "writev", writev)
    assert appended(FILES, pixels_file) == payloads_of(FILES)
    assert num_calls == 2


def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(StreamingError, match=r"[Nn]o space left"):
        examine_chunk(FILES, WHITE, Codec.ZSTD, Path("/dev/full"))


def test_what_cannot_be_read_is_told_and_the_others_keep_their_order(tmp_path: Path) -> None:
    paths = written(tmp_path, FILES)
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    found = examine_chunk([str(tmp_path / "gone"), paths[0], str(tmp_path), str(huge), paths[2]], WHITE, Codec.ZSTD)
    assert {place: problem for place, (problem, _) in found.unreadable.items()} == {
        0: PictureProblem.UNREADABLE_FILE,
        2: PictureProblem.UNREADABLE_FILE,
        3: PictureProblem.TOO_LARGE,
    }
    assert found.unreadable[0][1] == "cannot be read: No such file or directory"
    assert found.rows["file"].tobytes() == digest_of_file(FILES[0]) + digest_of_file(FILES[2])
    assert found.num_files == 5


def test_of_large_files_a_worker_looks_at_some(tmp_path: Path) -> None:
    found = examine_chunk(written(tmp_path, LARGE), WHITE, Codec.ZSTD)
    assert found.num_files == 1
    assert len(LARGE[0]) > READ_BYTES


@pytest.mark.parametrize("num_pictures", [1, 3])
def test_large_pictures_are_all_imported_in_chunks_of_any_number(
    num_pictures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datagen_server.importing.survey.CHUNK_PICTURES", num_pictures)
    folder = tmp_path / "data"
    folder.mkdir()
    files = {f"{number}ab.bmp": file for number, file in enumerate(LARGE)}
    files |= {f"small{number}.png": picture_file(seed=number) for number in range(10)}
    for name, file in files.items():
        (folder / name).write_bytes(file)
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        archive.add(folder, arcname=".")
    facts = imported(("train", folder), out=tmp_path / "out", size=(40, 20))
    assert facts["taken"] == 15
    from_tar = imported(("train", tmp_path / "data.tar"), out=tmp_path / "from-tar", size=(40, 20))
    assert facts["fingerprint"] == from_tar["fingerprint"]
    assert Manifest.read(tmp_path / "out").digest == Manifest.read(tmp_path / "from-tar").digest


def test_a_file_that_goes_while_it_is_imported_is_skipped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (tmp_path / f"{number}ab.png").write_bytes(picture_file(seed=number))

    def late(path: str) -> bytes:
        Path(path).with_name("3ab.png").unlink(missing_ok=True)
        return read_file(path)

    monkeypatch.setattr(picture_chunk, "read_file", late)
    facts = imported(("train", tmp_path), out=tmp_path.with_name("out"))
    assert (facts["taken"], facts["skipped"]) == (5, 1)
    assert facts["reasons"]["unreadable_file"] == 1
