"""`python -m evaluator`."""

import os
import signal

from shared.system.signals import end_at_once_on_interrupt

# Read when gRPC is imported: it would print lines of its own beside our one.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

if __name__ == "__main__":
    end_at_once_on_interrupt()
    from evaluator.cli import main
    from shared.system.command_line import run

    # MindSpore turns Ctrl-C into SIGTERM while it computes: both end the command in the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run(main, "evaluator")
