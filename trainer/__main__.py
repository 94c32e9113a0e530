"""`python -m trainer`."""

import os

from shared.system.signals import end_at_once_on_interrupt

# Read when gRPC is imported, here and in the ranks: it would print lines of its own beside our one.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

if __name__ == "__main__":
    end_at_once_on_interrupt()
    from shared.system.command_line import run
    from trainer.cli import main

    run(main, "trainer")
