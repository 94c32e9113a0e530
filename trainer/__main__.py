"""`python -m trainer`."""

import os

# Read when gRPC is imported, here and in the ranks: it would print lines of its own beside our one.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from shared.system.command_line import run
from trainer.cli import main

if __name__ == "__main__":
    run(main, "trainer")
