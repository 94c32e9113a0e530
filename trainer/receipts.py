"""`python -m trainer.receipts RUN_DIR`: proves that every sample of every step was delivered exactly once.

What it does is in `audit/receipts_run.py`, the proof itself in `audit/exactly_once.py`.
"""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

from collections.abc import Sequence
from pathlib import Path

from shared.system.command_line import CommandParser, run, run_command

_EXAMPLES = """\
examples:
  python -m trainer.receipts run               were all samples of all steps delivered, each once?
  python -m trainer.receipts run --step 120    which samples were in step 120, and on which rank?
"""


def main(argv: Sequence[str]) -> int:
    """Proves, or shows one step; returns the exit code."""
    about = "Proves from the receipts of a run that every sample of every step was delivered exactly once."
    parser = CommandParser("python -m trainer.receipts", description=about, epilog=_EXAMPLES)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("--step", type=int, metavar="N", help="show the samples of one step, counted from 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return run_command("trainer.audit.receipts_run", parser.parse_args(argv))


if __name__ == "__main__":
    run(main, "receipts")
