"""`python -m datagen_server`: wiring only."""

from datagen_server.cli import main
from shared.command import run

if __name__ == "__main__":
    run(main, "datagen_server")
