"""`python -m evaluator`."""

from evaluator.cli import main
from shared.command import run

if __name__ == "__main__":
    run(main, "evaluator")
