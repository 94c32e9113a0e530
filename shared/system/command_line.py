"""What all commands have in common: one-line errors, exit codes, help with examples.

Exit codes: 0 done; 1 the job ran and failed; 2 bad usage or input; 130 on Ctrl-C, 143 on SIGTERM.
"""

import argparse
import errno
import gc
import io
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from shared.errors import StreamingError, UsageError
from shared.system.open_files import raise_limit
from shared.system.signals import interrupted_by_signal, uninterrupted
from shared.system.standard_streams import protect_stderr

_WRONG_PLACE = PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError
_NO_PLACE = errno.ENAMETOOLONG, errno.ELOOP


class _HelpFormatter(argparse.HelpFormatter):
    """Keeps the line breaks of descriptions and examples, and wraps only what is wider than the terminal.

    An example that is too wide is broken so that it can still be pasted, not between an option and its value; its
    comment, two blanks or more after it, then stands on a line of its own.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(line for each in text.splitlines() for line in _wrapped(indent + each, width))


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    blanks = line[: len(line) - len(line.lstrip())]
    command, _, comment = line.strip().partition("  ")
    if not comment and "python -m " not in command:
        return _lines(line, width, blanks)
    held = re.sub(r"( --?[\w-]+) (?!-)", "\\1\0", blanks + command)
    parts = [part.replace("\0", " ") for part in _lines(held, width - 2, blanks + "    ")]
    told = _lines(f"{blanks}    # {comment.strip()}", width, f"{blanks}    # ") if comment else []
    return [f"{part} \\" for part in parts[:-1]] + parts[-1:] + told


def _lines(text: str, width: int, blanks: str) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=blanks, break_long_words=False, break_on_hyphens=False)


class CommandParser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are one line and whose epilog keeps its line breaks."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", _HelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Ends the process with code 2 and one line."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def natural(text: str) -> int:
    """The value of an option that counts from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number from 0, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    """The value of an option that counts from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a number from 1, got {text!r}")
    return int(text)


def python_name() -> str:
    """What to call this interpreter in a command that a person will run: `python` where that is it, else its path."""
    found = shutil.which("python")
    if found is not None and Path(found).absolute() == Path(sys.executable).absolute():
        return "python"
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def run(main: Callable[[Sequence[str]], int], name: str) -> NoReturn:
    """Ends the process with what `main(argv)` returns, or with the exit code of the error it raised, in one line."""
    protect_stderr()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be UTF-8; they are printed as they are.
        is_utf8 = sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    raise_limit()
    with interrupted_by_signal() as received:
        try:
            code = main(sys.argv[1:])
        except KeyboardInterrupt:
            code = interrupted(name, received)
        except Exception as error:
            code = interrupted(name, received) if received else _explained(name, error)
    # The end of the process frees what is left; looking through MindSpore's objects first takes 0.3 s.
    gc.freeze()
    sys.exit(code)


def run_command(module: str, options: argparse.Namespace) -> int:
    """Imports what a command does, by the name of its module, and returns the exit code of its `run(options)`.

    A command line imports only what reads its arguments, then calls this: neither --help nor a mistyped flag waits for
    what is slow to import.
    """
    return int(load_module(module).run(options))


def load_module(name: str) -> ModuleType:
    """Imports a module by its name. Ctrl-C takes effect afterwards: it would abort an import of MindSpore."""
    with uninterrupted():
        return import_module(name)


def interrupted(name: str, received: Sequence[int]) -> int:
    """Prints that a signal has ended the command, and returns the exit code; received: the signals, if known."""
    number = received[0] if received else signal.SIGINT
    print(f"{name}: {'terminated' if number == signal.SIGTERM else 'interrupted'}", file=sys.stderr)
    return 128 + number


def _explained(name: str, error: Exception) -> int:
    """Prints what the error says, in one line; raises it again if it is a bug of ours."""
    if isinstance(error, StreamingError):
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError):
        # Wherever it was: a file that may not be read, a disk that is full. It is the machine's state, not a bug.
        where = f"cannot use {error.filename}: " if error.filename is not None else ""
        print(f"{name}: {where}{error.strerror or error}", file=sys.stderr)
        is_misuse = isinstance(error, _WRONG_PLACE) or error.errno in _NO_PLACE
        return UsageError.exit_code if is_misuse else StreamingError.exit_code
    if isinstance(error, UnicodeEncodeError):
        # Some libraries take no other names than these.
        print(f"{name}: {error.object!r} is not UTF-8; use another name", file=sys.stderr)
        return UsageError.exit_code
    raise error
