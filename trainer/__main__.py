"""`python -m trainer`."""

from shared.command import run
from trainer.cli import main

if __name__ == "__main__":
    run(main, "trainer")
