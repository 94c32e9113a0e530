"""Twelve kinds of labels that need more frames than the network has: one line that names the sample, and what to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError
from shared.protocol.batch import Records, label_of
from shared.protocol.codec import Codec
from tests.support.services import served
from tests.support.toys import ToySource
from trainer.cli import main

_DIGITS, _LETTERS = "0123456789", "abcABC"


class _LabelledSource(ToySource):
    """The toys, with one label for all."""

    def __init__(self, spec: DatasetSpec, text: str) -> None:
        super().__init__(spec)
        self._label = label_of(text, spec.alphabet, spec.max_length)

    def _compute(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Records:
        return replace(super()._compute(split, indices, codec), labels=np.tile(self._label, (len(indices), 1)))


def _train(spec: DatasetSpec, text: str, run_dir: Path, preset: str, columns: int) -> int:
    keys = ["batch_size=4", "hidden_size=8", "steps=1", *([f"columns_per_frame={columns}"] if columns else [])]
    with served(_LabelledSource(spec, text)) as target:
        more = [part for key in keys for part in ("-o", key)]
        return main(["--datagen", target, "--run-dir", str(run_dir), "--preset", preset, "--json", *more])


@pytest.mark.parametrize(
    ("width", "alphabet", "max_length", "text", "preset", "columns", "frames"),
    [
        (24, _DIGITS, 4, "1111", "fast", 6, (7, 4)),
        (24, _DIGITS, 4, "1123", "fast", 6, (5, 4)),
        (24, _DIGITS, 4, "1233", "fast", 6, (5, 4)),
        (24, _DIGITS, 4, "1122", "fast", 6, (6, 4)),
        (24, _DIGITS, 4, "7777", "fast", 4, (7, 6)),
        (24, _DIGITS, 6, "121144", "fast", 4, (8, 6)),
        (24, _DIGITS, 24, "0" * 13, "zoo", 0, (25, 24)),
        (24, _DIGITS, 24, "123456789" * 2 + "122334", "zoo", 0, (26, 24)),
        (24, _LETTERS, 4, "aBBa", "fast", 6, (5, 4)),
        (24, "天地玄黄", 4, "天天地地", "fast", 6, (6, 4)),
        (24, "'\"\\!", 4, "''\"\"", "fast", 6, (6, 4)),
        (16, _DIGITS, 16, "5" * 16, "zoo", 0, (31, 16)),
    ],
)
def test_the_sample_is_named_in_one_line_before_a_step_is_taken(
    tmp_path: Path,
    width: int,
    alphabet: str,
    max_length: int,
    text: str,
    preset: str,
    columns: int,
    frames: tuple[int, int],
) -> None:
    spec = DatasetSpec(width=width, height=16, alphabet=alphabet, max_length=max_length)
    with pytest.raises(UsageError) as caught:
        _train(spec, text, tmp_path / "run", preset, columns)
    message, (needs, has) = str(caught.value), frames
    assert "\n" not in message
    assert caught.value.exit_code == 2
    assert message.startswith("sample ")
    assert f"its label {text!r} needs {needs} frames" in message
    assert f"but the network has {has}; " in message
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("text", ["1111", "1234", "1"])
def test_any_label_of_the_spec_fits_the_frames_of_crnn(tmp_path: Path, text: str) -> None:
    spec = DatasetSpec(width=16, height=16, max_length=4)
    assert _train(spec, text, tmp_path / "run", "crnn", 0) == 0
