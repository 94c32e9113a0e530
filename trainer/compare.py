"""`python -m trainer.compare RUN RUN...`: two or more runs on one page, their curves and the keys that differ.

What it does is in `page/comparison.py`.
"""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

from collections.abc import Sequence
from pathlib import Path

from shared.system.command_line import CommandParser, run, run_command

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
    return run_command("trainer.page.comparison", parser.parse_args(argv))


if __name__ == "__main__":
    run(main, "compare")
