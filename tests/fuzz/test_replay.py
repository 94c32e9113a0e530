"""The fuzzers' first inputs, damaged a little, and every input that ever crashed a decoder: none does any more."""

from pathlib import Path

import pytest

from tests.fuzz.attempts import attempt, variants
from tests.fuzz.targets import TARGETS

CRASHES = Path(__file__).parent / "crashes"


@pytest.mark.parametrize("name", TARGETS)
def test_no_decoder_crashes(name: str, tmp_path: Path) -> None:
    target = TARGETS[name](tmp_path)
    crashes = sorted((CRASHES / name).glob("*"))
    for data in (*(path.read_bytes() for path in crashes), b""):
        attempt(target, data)
    for seed in target.seeds:
        for data in variants(seed, 40):
            attempt(target, data)


def test_every_input_that_ever_crashed_belongs_to_a_decoder() -> None:
    assert {path.name for path in CRASHES.iterdir()} <= set(TARGETS)
