"""Imports that were interrupted or whose files are damaged: the next one makes the same of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datagen_server.importing import import_pictures, picture_chunk
from datagen_server.importing.scratch import Scratch
from shared.images.decode import Colour, decode_picture
from tests.datagen_server.importing.running import files_of, imported, many, request, run
from tests.datagen_server.importing.sources.building import write
from tests.shared.images.files import picture_file


class Interrupted(Exception):
    pass


def interrupt(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path) -> None:
    """An import that ends when all has been looked at."""

    def raise_interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(import_pictures, "decide", raise_interrupted)
        with pytest.raises(Interrupted):
            run(request(data), out)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_an_import_that_was_interrupted_goes_on(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", {**many(150), "bad_1.png": b"text"})
    run(request(data), tmp_path / "whole")
    left = after

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **values: object) -> object:
            nonlocal left
            if left == 0:
                raise Interrupted
            left -= 1
            return function(*args, **values)

        return call

    with monkeypatch.context() as patched:
        for name in ("look_at_pictures", "write_origins", "write_shards"):
            patched.setattr(import_pictures, name, counted(getattr(import_pictures, name)))
        patched.setattr(Scratch, "learn", counted(Scratch.learn))

        try:
            run(request(data), tmp_path / "out")
        except Interrupted:
            assert not (tmp_path / "out" / "manifest.json").exists()
    run(request(data), tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_was_looked_at_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", many(100))
    interrupt(monkeypatch, data, tmp_path / "out")
    write(data, {"0x0_0.png": picture_file(seed=999)})
    decoded: list[bytes] = []

    def decode(data: bytes, ground: Colour) -> NDArray[np.uint8]:
        decoded.append(data)
        return decode_picture(data, ground)

    monkeypatch.setattr(picture_chunk, "decode_quietly", decode)
    run(request(data), tmp_path / "out")
    assert decoded == [picture_file(seed=999)]


def test_damaged_scratch_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", many(60))
    run(request(data), tmp_path / "whole")
    for damage in ("pixels", "pictures"):
        interrupt(monkeypatch, data, tmp_path / damage)
        file = tmp_path / damage / ".import" / damage
        content = bytearray(file.read_bytes()) if file.exists() else bytearray(100)
        content[: len(content) // 2] = bytes(len(content) // 2)
        file.write_bytes(content)
        run(request(data), tmp_path / damage)
        assert files_of(tmp_path / damage) == files_of(tmp_path / "whole")


def test_a_complete_set_whose_description_is_gone_gets_it_again(tmp_path: Path) -> None:
    data = write(tmp_path / "data", many(30))
    imported(data, out=tmp_path / "out")
    before = files_of(tmp_path / "out")
    for name in ("origins.jsonl", "import-report.json"):
        (tmp_path / "out" / name).unlink()
    imported(data, out=tmp_path / "out")
    assert files_of(tmp_path / "out") == before
