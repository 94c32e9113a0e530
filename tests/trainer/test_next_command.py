"""The command printed at the end of a training is one that runs as it stands."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from evaluator.cli import build_parser as evaluator_parser
from shared.system.command_line import python_name
from trainer.cli import build_parser
from trainer.next_command import next_command
from trainer.run_dir import Summary

SECURED = "--datagen", "data:50051", "--tls-ca", "my certs/ca.pem", "--token-file", "certs/token"


def summary_of(steps: int, checkpoint: str = "my run/checkpoints/warpctc-1-5.ckpt") -> Summary:
    return Summary(
        steps=steps,
        num_steps=10,
        train_s=1.0,
        images_per_s=1.0,
        wait_share=0.0,
        rank_wait_shares=[0.0],
        checkpoint=checkpoint,
        weights_digest="",
    )


@pytest.mark.parametrize("given", [(), SECURED, ("--datagen", "a:1,b:2", "--device", "gpu")])
def test_a_finished_run_is_evaluated_on_the_service_it_was_trained_on(given: tuple[str, ...]) -> None:
    options = build_parser().parse_args([*given, "--steps", "10"])
    python, m, module, *arguments = shlex.split(next_command(options, summary_of(10)))
    assert (python, m, module) == (python_name(), "-m", "evaluator")
    evaluated = evaluator_parser().parse_args(arguments)
    assert evaluated.ckpt == Path("my run/checkpoints/warpctc-1-5.ckpt")
    for name in ("datagen", "device", "tls_ca", "token_file"):
        assert getattr(evaluated, name) == getattr(options, name)


@pytest.mark.parametrize(
    "given",
    [
        (),
        SECURED,
        ("--ranks", "2", "--metrics-listen", "0.0.0.0:9470", "--metrics-listen-insecure"),
        ("--rank-table", "my table.json", "--node-rank", "1", "--master-addr", "10.0.0.1", "--master-port", "8118"),
    ],
)
def test_a_stopped_run_goes_on_where_and_how_it_ran(given: tuple[str, ...]) -> None:
    options = build_parser().parse_args(["--run-dir", "my run", *given, "--steps", "10", "-o", "seed=3"])
    _, _, module, *arguments = shlex.split(next_command(options, summary_of(5)))
    assert module == "trainer"
    resumed = build_parser().parse_args(arguments)
    left_to_the_run: dict[str, Any] = {"resume": True, "steps": None, "overrides": []}
    assert vars(resumed) == vars(options) | left_to_the_run


def test_without_a_checkpoint_there_is_nothing_to_go_on_with() -> None:
    assert next_command(build_parser().parse_args([]), summary_of(10, checkpoint="")) == ""
