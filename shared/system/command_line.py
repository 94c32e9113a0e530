"""What all commands have in common: one-line errors, exit codes, help with examples, progress.

Exit codes: 0 done; 1 the job ran and failed; 2 bad usage or input; 130 on Ctrl-C.
"""

import argparse
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from shared.errors import StreamingError, UsageError
from shared.system.open_files import raise_limit
from shared.system.standard_streams import protect_stderr

PLAIN_INTERVAL_S = 10.0
_FIRST_LINE_S = 2.0
_WRONG_PLACE = PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError


class CommandParser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are one line and whose epilog keeps its line breaks."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
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
    raise_limit()
    try:
        sys.exit(main(sys.argv[1:]))
    except StreamingError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # Wherever it was: a file that may not be read, a disk that is full. It is the machine's state, not a bug.
        where = f"cannot use {error.filename}: " if error.filename is not None else ""
        print(f"{name}: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(UsageError.exit_code if isinstance(error, _WRONG_PLACE) else StreamingError.exit_code)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Shows the progress of a job on stderr: a bar on a terminal, else a line after 2 s and then every 10 s.

    Yields `advance(n)`.
    """
    console = Console(stderr=True)
    started = time.monotonic()
    if console.is_terminal:
        columns = TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn(unit)
        with Progress(*columns, _Rate(), TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(label, total=total)
            yield lambda n: bar.advance(task, n)
        return
    done, next_line = 0, started + min(_FIRST_LINE_S, PLAIN_INTERVAL_S)

    def advance(n: int) -> None:
        nonlocal done, next_line
        done += n
        now = time.monotonic()
        if now >= next_line:
            next_line = now + PLAIN_INTERVAL_S
            rate = done / (now - started)
            left = f"{(total - done) / rate:,.0f} s left" if rate else "time left unknown"
            print(f"{label}: {done:,}/{total:,} {unit}, {rate:,.0f}/s, {left}", file=sys.stderr, flush=True)

    yield advance


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Says on stderr that something is done that has no parts, such as "compiling the network".

    A spinner on a terminal, else a line when it takes more than 2 s.
    """
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        columns = SpinnerColumn(), TextColumn(what), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as spinner:
            spinner.add_task(what, total=None)
            yield
        return
    line = threading.Timer(_FIRST_LINE_S, lambda: print(what, file=sys.stderr, flush=True))
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()


class _Rate(ProgressColumn):
    """Units per second, over the last half minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")
