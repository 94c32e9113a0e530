"""Runs that start with the weights of others, keep parts of them, go on past their end, or cannot be trained at all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.recogniser.checkpoint_info import find_checkpoint, list_checkpoints
from shared.recogniser.checkpoint_weights import load_weights
from tests.support.services import served
from tests.support.toys import TOY_SPEC, ToySource
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

SMALL = {
    "hidden_size": 16,
    "columns_per_frame": 2,
    "captcha_width": 24,
    "captcha_height": 16,
    "global_batch_size": 8,
    "log_steps": 1,
    "save_checkpoint_steps": 5,
}
KEYS = [part for key, value in SMALL.items() for part in ("-o", f"{key}={value}")]
ALPHABET = "ba9876543210"


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[str, str]]:
    """The toys, and toys of another seed with more characters in another order."""
    with ExitStack() as stack:
        specs = TOY_SPEC, replace(TOY_SPEC, seed=1, alphabet=ALPHABET)
        one, other = (stack.enter_context(served(ToySource(spec))) for spec in specs)
        yield one, other


def _start(target: str, run_dir: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), *KEYS, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _run(target: str, run_dir: Path, *more: str) -> tuple[dict[str, Any], str]:
    done = _start(target, run_dir, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_run_starts_with_another_ones_weights_and_characters_keep_theirs(
    services: tuple[str, str], tmp_path: Path
) -> None:
    _run(services[0], tmp_path / "before", "--steps", "10")
    # A rate of next to nothing: what is saved is what the run started with.
    keys = ("--init-from", str(tmp_path / "before"), "--steps", "1", "-o", "learning_rate=1e-12")
    _, stderr = _run(services[1], tmp_path / "after", *keys)
    before, after = (load_weights(find_checkpoint(tmp_path / name)) for name in ("before", "after"))
    for name in ("first.weight_ih_l0", "second.weight_hh_l0"):
        assert np.allclose(before[name], after[name], atol=1e-6)
    for row, character in enumerate(ALPHABET[2:], start=2):
        place = TOY_SPEC.alphabet.index(character)
        assert np.allclose(before["classify.weight"][place], after["classify.weight"][row], atol=1e-6)
    assert np.allclose(before["classify.bias"][-1], after["classify.bias"][-1], atol=1e-6)
    assert f"initial weights from {(tmp_path / 'before').resolve()}/checkpoints/warpctc-1-10.ckpt (step 10):" in stderr
    assert "10 of 12 characters taken; drawn anew: ba" in stderr


def test_frozen_parts_stay_bit_for_bit_and_the_rest_is_trained(services: tuple[str, str], tmp_path: Path) -> None:
    _run(services[0], tmp_path / "before", "--steps", "5")
    keys = ("--init-from", str(tmp_path / "before"), "-o", "freeze=first,classify.bias", "-o", "augment=light")
    whole, _ = _run(services[0], tmp_path / "whole", *keys, "--steps", "12")
    before, after = (load_weights(find_checkpoint(tmp_path / name)) for name in ("before", "whole"))
    same = {name for name in before if name in after and np.array_equal(before[name], after[name])}
    weights = {name for name in before if name.startswith(("first", "second", "classify"))}
    assert same & weights == {name for name in weights if name.startswith(("first", "classify.bias"))}
    job = Job(tmp_path / "killed", "--datagen", services[0], *KEYS, *keys, "--steps", "300", "--json")
    job.wait_for_step(6)
    job.kill()
    _run(services[0], tmp_path / "killed", "--resume")
    again, _ = _run(services[0], tmp_path / "again", *keys, "--steps", "300")
    assert load_digest(tmp_path / "killed") == again["weights_digest"]
    assert whole["weights_digest"] != again["weights_digest"]


def load_digest(run_dir: Path) -> str:
    info = json.loads(find_checkpoint(run_dir).with_suffix(".json").read_text())
    return str(info["weights_digest"])


def test_a_finished_run_is_trained_for_longer_on_another_number_of_ranks(
    services: tuple[str, str], tmp_path: Path
) -> None:
    Job(tmp_path / "run", "--datagen", services[0], *KEYS, "--ranks", "2", "--steps", "20", "--json").summary()
    longer, _ = _run(services[0], tmp_path / "run", "--resume", "--steps", "40")
    assert (longer["steps"], longer["num_steps"]) == (40, 40)
    proof = Receipts(tmp_path / "run").prove()
    assert (proof.delivered, proof.missing, proof.duplicated, proof.holds) == (320, 0, 0, True)
    rates = [json.loads(line)["lr"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rates[20] > rates[19]  # From there on the rates are those of a run of 40 steps.
    done = _start(services[0], tmp_path / "run", "--resume", "--steps", "30")
    assert done.returncode == 2
    assert "has done 40 steps already, more than the 30 asked for; give --steps at least that many" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    again, _ = _run(services[0], tmp_path / "run", "--resume")
    assert again["weights_digest"] == longer["weights_digest"]


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning_that_names_both(
    services: tuple[str, str], tmp_path: Path
) -> None:
    whole, _ = _run(services[0], tmp_path / "run", "--steps", "15")
    *older, newest = list_checkpoints(tmp_path / "run" / "checkpoints")
    newest.write_bytes(newest.read_bytes()[:-1])
    resumed, stderr = _run(services[0], tmp_path / "run", "--resume")
    assert resumed["weights_digest"] == whole["weights_digest"]
    assert f"{newest} is damaged: its SHA-256 is not the one in {newest.stem}.json; resuming from {older[-1]}" in stderr
    for path in list_checkpoints(tmp_path / "run" / "checkpoints"):
        path.write_bytes(b"")
    done = _start(services[0], tmp_path / "run", "--resume")
    assert done.returncode == 1
    assert "is damaged: its SHA-256 is not the one" in done.stderr
    assert "the run has no other checkpoint; start a new --run-dir" in done.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "freeze=conv"], "freeze: the network has no part 'conv', only first, second, classify"),
        (["-o", "freeze=first,second,classify"], "freeze=first,second,classify leaves nothing to train"),
        (["--init-from", "nowhere"], "no checkpoint at nowhere: the path does not exist"),
        (["-o", "columns_per_frame=8"], "labels of 4 characters need 4 frames, but this network reads an image of "
         "24x16 in 3; -o columns_per_frame=6 gives 4"),
        (["-o", "columns_per_frame=6"], "its label '"),
        (["-o", "augment=wild"], "configuration key augment: input should be 'none', 'light' or 'strong', got 'wild'"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_line_and_exit_code_2(
    services: tuple[str, str], tmp_path: Path, more: list[str], message: str
) -> None:
    done = _start(services[0], tmp_path / "run", "--steps", "3", *more)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    progress = "training for", "compiling"
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith(progress)]
    assert len(lines) == 1, done.stderr


def test_a_label_that_does_not_fit_is_named_with_sample_and_remedy_on_ranks_too(
    services: tuple[str, str], tmp_path: Path
) -> None:
    for ranks in ("1", "2"):
        keys = ("--steps", "3", "-o", "columns_per_frame=6", "--ranks", ranks)
        done = _start(services[0], tmp_path / ranks, *keys)
        assert done.returncode == 2
        assert "needs 5 frames" in done.stderr or "needs 7 frames" in done.stderr
        assert "but the network has 4; -o columns_per_frame=4 gives 6" in done.stderr
