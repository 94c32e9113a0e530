"""`python -m trainer.compare RUN RUN...`: two or more runs on one page, their curves and the keys that differ."""

from collections.abc import Sequence
from pathlib import Path

from shared.errors import UsageError
from shared.page.run_history import read_history
from shared.recogniser.run_layout import RunLayout
from shared.system.atomic_file import write_atomic
from shared.system.command_line import CommandParser, run
from trainer.config import TrainerConfig, load_config
from trainer.page.comparison import ComparedRun, render_comparison

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
    options = parser.parse_args(argv)
    runs = [_read(path) for path in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise UsageError(f"two or more runs are compared, got only {runs[0].name}")
    try:
        write_atomic(options.out, render_comparison(runs))
    except OSError as error:
        raise UsageError(f"cannot write {options.out}: {error.strerror}") from error
    print(options.out)
    return 0


def _read(path: Path) -> ComparedRun:
    layout = RunLayout(path)
    if not layout.config_file.is_file():
        raise UsageError(f"{path} holds no run: it has no config.yaml; give run directories")
    history = read_history(layout.metrics_file)
    if not history:
        raise UsageError(f"{path} has nothing to compare yet: no line in {layout.metrics_file.name}")
    config: TrainerConfig = load_config({}, layout.config_file, ())
    return ComparedRun(str(path), config.model_dump(mode="json"), history)


if __name__ == "__main__":
    run(main, "compare")
