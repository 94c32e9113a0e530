"""What an import remembers of an earlier run, wherever that one was killed."""

from contextlib import closing
from pathlib import Path

import numpy as np

from datagen_server.importing.picture_chunk import digest_of_file, examine_chunk
from datagen_server.importing.picture_rows import DIGEST
from datagen_server.importing.scratch import Scratch
from shared.images.decode import WHITE
from shared.protocol.codec import Codec
from tests.shared.images.files import picture_file

CHUNKS = [[picture_file(seed=1), b"text"], [picture_file(seed=2)], [b"", picture_file(seed=3)]]


def learn(scratch: Scratch, chunk: list[bytes]) -> None:
    scratch.learn(examine_chunk(chunk, WHITE, Codec.ZSTD))


def known(scratch: Scratch) -> list[bool]:
    return [all(scratch.knows(digest_of_file(file)) for file in chunk) for chunk in CHUNKS]


def test_a_log_that_is_cut_anywhere_gives_its_whole_blocks(tmp_path: Path) -> None:
    with closing(Scratch(tmp_path, 1)) as scratch:
        for chunk in CHUNKS:
            learn(scratch, chunk)
    log = tmp_path / ".import" / "pictures"
    whole = log.read_bytes()
    num_known = set[int]()
    for size in range(len(whole), 0, -7):  # Downwards: a log without its first line takes the pixels with it.
        log.write_bytes(whole[:size])
        with closing(Scratch(tmp_path, 1)) as scratch:
            found = known(scratch)
            assert found == sorted(found, reverse=True)
            num_known.add(sum(found))
    assert num_known == {0, 1, 2, 3}


def test_pixels_that_are_gone_are_learned_again(tmp_path: Path) -> None:
    with closing(Scratch(tmp_path, 1)) as scratch:
        for chunk in CHUNKS:
            learn(scratch, chunk)
        before = scratch.pictures_of(np.array([digest_of_file(CHUNKS[1][0])], DIGEST))[0]
    pixels = tmp_path / ".import" / "pixels"
    damaged = bytearray(pixels.read_bytes())
    damaged[int(before["offset"])] ^= 1
    pixels.write_bytes(damaged)
    with closing(Scratch(tmp_path, 1)) as scratch:
        assert known(scratch) == [True, False, True]
        learn(scratch, CHUNKS[1])
        after = scratch.pictures_of(np.array([digest_of_file(CHUNKS[1][0])], DIGEST))[0]
        assert after["offset"] != before["offset"]
        assert scratch.pixels(*(int(after[name]) for name in ("offset", "size", "checksum"))) is not None
        assert scratch.pixels(*(int(before[name]) for name in ("offset", "size", "checksum"))) is None


def test_what_was_learned_under_other_facts_is_thrown_away(tmp_path: Path) -> None:
    with closing(Scratch(tmp_path, 1)) as scratch:
        learn(scratch, CHUNKS[0])
    with closing(Scratch(tmp_path, 2)) as scratch:
        assert known(scratch) == [False, False, False]
