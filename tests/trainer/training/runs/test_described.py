"""A run renders the data set that its options describe; resuming and evaluating render it again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datagen_server.rendering.glyphs import FONT_PATH
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_file import read_spec_file

SMALL = [f"-o{key}" for key in ("hidden_size=8", "batch_size=4", "columns_per_frame=8", "train_samples=16")]


def run(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_published_keys_alone_describe_a_data_set(tmp_path: Path) -> None:
    keys = ["-o", "max_captcha_digits=6", "-o", "captcha_width=200", "-o", "captcha_height=80"]
    result_of(run("trainer", *keys, *SMALL, "--steps", "2", "--run-dir", tmp_path / "run", "--json"))
    values, _ = read_spec_file(tmp_path / "run" / "spec.yaml")
    assert DatasetSpec.from_mapping(values) == DatasetSpec(width=200, height=80, max_length=6)
    figures = result_of(run("evaluator", "--ckpt", tmp_path / "run", "--split", "train", "--json"))
    assert figures["samples"] == 16
    resumed = run("trainer", "--resume", "--run-dir", tmp_path / "run", "--json")
    assert result_of(resumed)["steps"] == 2


def test_a_font_is_found_where_it_was_or_is_refused_by_name(tmp_path: Path) -> None:
    font = tmp_path / "A.ttf"
    shutil.copy(FONT_PATH, font)
    options: list[str | Path] = ["--alphabet", "hex", "--min-length", "2", "--max-length", "3", "--font", font]
    result_of(run("trainer", *options, *SMALL, "--steps", "2", "--run-dir", tmp_path / "run", "--json"))
    evaluate: list[str | Path] = ["--ckpt", tmp_path / "run", "--split", "train", "--json"]
    result_of(run("evaluator", *evaluate))
    font.rename(tmp_path / "moved.ttf")
    missing = run("evaluator", *evaluate)
    assert missing.returncode == 2
    assert "font A.ttf of the data set" in missing.stderr.splitlines()[-1]
    assert "is missing; give its file with --font" in missing.stderr.splitlines()[-1]
    result_of(run("evaluator", *evaluate, "--font", tmp_path / "moved.ttf"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--width", "100", "-o", "captcha_width=200", "-o", "max_captcha_digits=4"],
            "captcha_width 200 (the data",
        ),
        (["--alphabet", "a中"], "has no glyph for '中'"),
        (["--alphabet", "aa"], "alphabet must be distinct characters"),
        (["--datagen", "127.0.0.1:1", "--alphabet", "ab", "--width", "90"], "--alphabet, --width: the service at"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run("trainer", *arguments, "--run-dir", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run" / "config.yaml").exists()
