"""`python -m evaluator`."""

import signal

from evaluator.cli import main
from shared.command import run

if __name__ == "__main__":
    # MindSpore turns Ctrl-C into SIGTERM while it computes: both end the command in the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run(main, "evaluator")
