"""`python -m datagen_server`: wiring only."""

import os
import sys

from shared.system.signals import end_at_once_on_interrupt

# gRPC reads this when it is imported. Its own lines about a handshake that failed are all that a server ever tells of
# it; every other command has one line of ours for that.
if sys.argv[1:2] != ["serve"]:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

if __name__ == "__main__":
    end_at_once_on_interrupt()
    from datagen_server.cli import main
    from shared.system.command_line import run

    run(main, "datagen_server")
