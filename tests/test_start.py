"""Commands start quickly: they import what is slow to import only once they need it."""

import subprocess
import sys

import pytest

SLOW = {"PIL", "flask", "lmdb", "matplotlib", "mindspore", "numpy", "pydantic", "rich"}
HELP = (
    "datagen_server --help",
    "datagen_server serve --help",
    "trainer --help",
    "trainer.compare --help",
    "trainer.export --help",
    "trainer.receipts --help",
    "evaluator --help",
    "evaluator predict --help",
)
CODE = """if True:
    import runpy, sys
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def imported(command: str, exit_code: int) -> set[str]:
    """The packages that `python -m COMMAND` had imported when it ended."""
    module, *arguments = command.split()
    done = subprocess.run([sys.executable, "-c", CODE, module, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == exit_code, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", HELP)
def test_help_imports_nothing_slow(command: str) -> None:
    assert imported(command, 0) & (SLOW | {"grpc"}) == set()


def test_a_health_check_imports_nothing_slow() -> None:
    assert imported("datagen_server health --target 127.0.0.1:1", 1) & (SLOW | {"yaml"}) == set()


def test_a_training_without_a_page_imports_nothing_that_draws_one() -> None:
    code = "import sys, trainer.training.single_rank, trainer.distributed.rank_training; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"flask", "matplotlib"} & set(done.stdout.splitlines()[-1].split()) == set()
