"""MindSpore must not slow our messages down."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "trainer.training.loop",
        "trainer.distributed.rank_process",
        "shared.recogniser.predictor",
        "shared.recogniser.dataset_adapter",
    ],
)
def test_messages_are_parsed_natively_whatever_is_imported_first(module: str) -> None:
    program = f"import {module}; from google.protobuf.internal import api_implementation as a; print(a.Type())"
    environment = {key: value for key, value in os.environ.items() if key != "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "upb"
