"""The whole job end to end, as `make demo` runs it: service, training, evaluation, one summary.

Trainer and evaluator run as the commands a user would type, both fed by one service on a loopback port.
"""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_options import RenderSpec
from shared.errors import StreamingError
from shared.system.command_line import CommandParser, positive, run
from shared.system.embedded_service import embedded_service
from trainer.config import load_config

TEST_SAMPLES = 10_000
QUICK_TEST_SAMPLES = 2_000
_QUICK = ("steps=200",)


def main(argv: Sequence[str]) -> int:
    """Runs the demo; the last line on stdout is one JSON object."""
    parser = CommandParser("python -m trainer.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="one key of the training to change")  # fmt: skip
    sizes = f"default: {TEST_SAMPLES}, with --quick {QUICK_TEST_SAMPLES}"
    parser.add_argument("--test-samples", type=positive, metavar="N", help=f"size of the test split; {sizes}")
    parser.add_argument("--quick", action="store_true", help="about a minute: 200 steps, a smaller test split")
    options = parser.parse_args(argv)
    keys = [*(_QUICK if options.quick else ()), *options.overrides]
    out, config = options.out, load_config({}, None, keys)
    overrides = [part for key in keys for part in ("-o", key)]
    shutil.rmtree(out, ignore_errors=True)
    test_samples = options.test_samples or (QUICK_TEST_SAMPLES if options.quick else TEST_SAMPLES)
    counts = {"train": config.train_samples, "test": test_samples}
    with embedded_service(counts, RenderSpec(DatasetSpec.from_mapping(config.spec_values()))) as target:
        trained = _json_of("trainer", "--datagen", target, "--run-dir", str(out / "run"), *overrides)
        evaluated = _json_of(
            "evaluator", "--datagen", target, "--ckpt", str(out / "run"), "--report", str(out / "report")
        )
    if options.quick:
        full = load_config({}, None, ())
        print(
            f"this was the quick demo, {trained['steps']:,} steps; the full one takes {full.steps:,}, about 5 minutes "
            "on two CPU cores: make demo",
            file=sys.stderr,
            flush=True,
        )
    print_summary(trained, evaluated, out / "report" / "index.html")
    return 0


def print_summary(trained: dict[str, Any], evaluated: dict[str, Any], report: Path) -> None:
    """Prints the training, the report with its three main figures, and the JSON line."""
    low, high = evaluated["ci95"]
    print(
        f"training      {trained['train_s']:,.0f} s for {trained['steps']:,} steps, "
        f"{trained['images_per_s']:,.0f} images/s, waited for data {trained['wait_share']:.1%} of the time"
    )
    print(f"weights       {trained['weights_digest']}")
    print(f"report        {report}")
    print(f"  exact match   {evaluated['accuracy']:.2%} of {evaluated['samples']:,} test captchas ", end="")
    print(f"(95% interval {low:.2%} to {high:.2%})")
    print(f"  error rate    {evaluated['character_error_rate']:.3%} of characters")
    print(f"  CTC loss      {evaluated['loss']:.4f} a sample")
    summary = {
        "accuracy": evaluated["accuracy"],
        "samples": evaluated["samples"],
        "train_s": trained["train_s"],
        "steps": trained["steps"],
        "images_per_s": trained["images_per_s"],
        "wait_share": trained["wait_share"],
        "report": str(report),
        "weights_digest": trained["weights_digest"],
    }
    print(json.dumps(summary))


def _json_of(module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", module, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise StreamingError(f"python -m {module} ended with exit code {done.returncode}; its error message is above")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    run(main, "demo")
