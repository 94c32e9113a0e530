"""MindSpore must not slow our messages down."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["trainer.loop", "trainer.rank", "evaluator.recogniser", "shared.nn.stream"])
def test_messages_are_parsed_natively_whatever_is_imported_first(module: str) -> None:
    program = f"import {module}; from google.protobuf.internal import api_implementation as a; print(a.Type())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "upb"
