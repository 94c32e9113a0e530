"""The progress of a job on standard error: a bar or a spinner on a terminal, else plain lines.

Apart from `command_line.py`, so that only a command that has something to show imports rich.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

PLAIN_INTERVAL_S = 10.0
_FIRST_LINE_S = 2.0


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
