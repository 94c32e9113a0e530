"""`python -m trainer.compare RUN RUN...`: two or more runs on one page, their curves and the keys that differ."""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

from collections.abc import Sequence
from pathlib import Path

from shared.errors import UsageError
from shared.system.atomic_file import write_atomic
from shared.system.command_line import CommandParser, run

_EXAMPLES = """\
examples:
  python -m trainer.compare run-a run-b --out compare.html
  python -m trainer.compare runs/* --out compare.html
"""


def main(argv: Sequence[str]) -> int:
    """Writes the page and prints where it is."""
    about = "Shows two or more runs on one page: their curves, and the configuration keys that differ."
    parser = CommandParser("python -m trainer.compare", description=about, epilog=_EXAMPLES)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory")
    parser.add_argument("--out", type=Path, required=True, metavar="PAGE.html", help="where the page goes")
    options = parser.parse_args(argv)
    # What draws the page takes a moment to import: --help and a mistyped flag do not wait for it.
    from trainer.page.comparison import read_run, render_comparison

    runs = [read_run(path) for path in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise UsageError(f"two or more runs are compared, got only {runs[0].name}")
    try:
        write_atomic(options.out, render_comparison(runs))
    except OSError as error:
        raise UsageError(f"cannot write {options.out}: {error.strerror}") from error
    print(options.out)
    return 0


if __name__ == "__main__":
    run(main, "compare")
