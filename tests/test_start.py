"""Commands start quickly: they import what is slow to import only once they need it. Their help fits a terminal."""

import os
import re
import signal
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
MORE_HELP = (
    *(
        f"datagen_server {name} --help"
        for name in ["materialize", "verify", "import", "export", "preview", "inspect", "health", "spec"]
    ),
    "trainer.demo --help",
)
INTERRUPTED = """if True:
    import runpy, signal, sys
    del sys.argv[0]
    name = sys.argv.pop(1)
    class Interrupting:
        def find_spec(self, found, path, target=None):
            if found == name:
                signal.raise_signal(signal.SIGINT)
    sys.meta_path.insert(0, Interrupting())
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
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


@pytest.mark.parametrize("command", [*HELP, *MORE_HELP])
def test_help_fits_a_terminal_of_80_columns_and_its_examples_can_be_pasted(command: str) -> None:
    def lines(columns: int) -> list[str]:
        arguments = [sys.executable, "-m", *command.split()]
        wide = {**os.environ, "COLUMNS": str(columns)}
        return subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, env=wide).stdout.splitlines()

    narrow = lines(80)
    assert [line for line in narrow if len(line) > 80] == []
    assert pasted(narrow) == pasted(lines(300))


def pasted(lines: list[str]) -> list[str]:
    """The commands among the examples, as a shell takes them, without comments."""
    text = re.sub(r" \\\n +", " ", "\n".join(lines))
    return [line.strip().partition("  ")[0] for line in text.splitlines() if line.startswith("  python -m ")]


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("trainer", "trainer.cli"),
        ("datagen_server", "datagen_server.cli"),
        ("evaluator", "evaluator.cli"),
        *((f"trainer.{name}", "shared.errors") for name in ("compare", "demo", "export", "receipts")),
    ],
)
def test_ctrl_c_while_a_command_is_imported_is_no_traceback(module: str, imported: str) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, module, imported], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("command", HELP)
def test_help_imports_nothing_slow(command: str) -> None:
    assert imported(command, 0) & (SLOW | {"grpc"}) == set()


def test_a_health_check_imports_nothing_slow() -> None:
    assert imported("datagen_server health --target 127.0.0.1:1", 1) & (SLOW | {"yaml"}) == set()


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("trainer.training.single_rank, trainer.distributed.rank_training", {"flask", "matplotlib", "onnxruntime"}),
        ("datagen_server.commands.serve", {"flask", "mindspore", "numba"}),
    ],
)
def test_neither_a_page_nor_what_comes_later_is_waited_for(modules: str, absent: set[str]) -> None:
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert absent & set(done.stdout.splitlines()[-1].split()) == set()
