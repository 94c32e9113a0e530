"""How commands end and what they refuse."""

import argparse
import errno
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from shared.errors import StreamingError, UsageError
from shared.system.command_line import CommandParser, natural, positive, python_name, run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such split"), 2, "tool: no such split\n"),
        (StreamingError("the disk failed"), 1, "tool: the disk failed\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "a.onnx"),
            2,
            "tool: cannot use a.onnx: File name too long\n",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "tool: No space left on device\n"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, ""), 2, "tool: 'a\\udcff' is not UTF-8; use another name\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    def main(_: Sequence[str]) -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(main, "tool")
    assert ended.value.code == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("text", ["-1", "one", "1.5", ""])
def test_counts_are_numbers(text: str) -> None:
    for read in (natural, positive):
        with pytest.raises(argparse.ArgumentTypeError, match="must be a number from"):
            read(text)


def test_zero_is_natural_and_not_positive() -> None:
    assert natural("0") == 0
    with pytest.raises(argparse.ArgumentTypeError, match="must be a number from 1, got '0'"):
        positive("0")


def test_a_mistyped_option_is_one_line_that_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    parser = CommandParser(prog="tool")
    parser.add_argument("--count", type=positive)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--count", "0"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "tool: argument --count: must be a number from 1, got '0'; see tool --help\n"


def test_this_interpreter_has_a_name_that_starts_it() -> None:
    code = "import sys; print(sys.prefix)"
    shown = subprocess.run([python_name(), "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert shown.strip() == sys.prefix


def test_a_file_name_that_is_not_utf8_is_printed_as_it_is() -> None:
    code = "from shared.system.command_line import run; run(lambda words: print(words[0]) or 0, 'tool')"
    done = subprocess.run([sys.executable, "-c", code, b"a\xff.png"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\xff.png\n", b"")


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_ends_a_command_in_one_line_after_its_last_duties(number: signal.Signals, word: str) -> None:
    code = f"""if True:
        import signal, time
        from shared.system.command_line import run
        def main(_):
            try:
                signal.raise_signal({int(number)})
                time.sleep(60)
            finally:
                print("cleaned up", flush=True)
        run(main, "tool")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "cleaned up\n", f"tool: {word}\n")


def test_a_signal_that_an_import_turns_into_an_error_of_its_own_is_no_traceback() -> None:
    """As NumPy does."""
    code = """if True:
        import signal
        from shared.system.command_line import run
        def main(_):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise ImportError("could not be imported") from None
        run(main, "tool")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "tool: interrupted\n")


def test_a_command_in_the_background_goes_on_ignoring_ctrl_c() -> None:
    code = """if True:
        import signal
        from shared.system.command_line import run
        run(lambda _: signal.raise_signal(signal.SIGINT) or print("done") or 0, "tool")
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # As a shell has it for what ends with &.
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
