"""The evaluator's command line: reads argv, finds or starts the data set service, reads a split, says what came out."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shared.address import count_of
from shared.client import DatasetClient, connect
from shared.command import CommandParser, progress, uninterrupted
from shared.embedded import embedded_service
from shared.security import Access, add_security_options, security_of

if TYPE_CHECKING:
    from evaluator.evaluate import Evaluation
    from shared.nn.checkpoint import CheckpointInfo

TEST_COUNT = 10_000
"Samples in the test split of the embedded service."
_EXAMPLES = """\
examples:
  python -m evaluator --ckpt run                           the newest checkpoint, on a test split drawn here
  python -m evaluator --ckpt run --datagen 10.0.0.5:50051  on the test split of a service
  python -m evaluator --ckpt run --report report           and keep every figure and every error
  python -m evaluator --ckpt run --min-accuracy 0.99       as a gate: ends with 1 below that
"""


def main(argv: Sequence[str]) -> int:
    """Evaluates one checkpoint: 0, or 1 when it does not reach --min-accuracy."""
    options = build_parser().parse_args(argv)
    # MindSpore takes seconds to import: --help and a mistyped flag do not wait for it.
    with uninterrupted():
        from evaluator import report

    evaluation = _evaluate(options)
    written = options.report and report.write_report(evaluation, options.report)
    if options.json:
        print(json.dumps(report.summary(evaluation), allow_nan=False))
    else:
        report.show(evaluation, written)
    return _gate(evaluation, options.min_accuracy)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = CommandParser(
        "python -m evaluator",
        description="Reads a split, every sample exactly once, with a trained checkpoint, and says how well.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--ckpt", type=Path, required=True, metavar="FILE|RUN_DIR", help="a run means its newest checkpoint"
    )
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--split", default="test", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs")
    parser.add_argument("--batch-size", type=_positive, default=64, metavar="N", help="samples read at once; "
                        "changes no figure; default: %(default)s")  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.json there: every figure, every error")
    parser.add_argument(
        "--min-accuracy", type=_fraction, metavar="X", help="end with 1 when exact match is below, 0..1"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    add_security_options(parser)
    return parser


def _evaluate(options: argparse.Namespace) -> "Evaluation":
    from evaluator.evaluate import Evaluation, check_batch_size, check_dataset, read_split
    from evaluator.recogniser import Recogniser
    from evaluator.report import prepare_folder
    from shared.nn.checkpoint import find_checkpoint, read_info
    from shared.nn.runtime import set_device

    checkpoint = find_checkpoint(options.ckpt)
    info = read_info(checkpoint)
    set_device(options.device)
    check_batch_size(options.batch_size, info.dataset_spec())
    if options.report is not None:
        prepare_folder(options.report)
    with _service(options, info) as access, connect(access.target, security=access.security) as client:
        check_dataset(checkpoint, info, client.dataset)
        count = count_of(client.dataset, options.split)
        _announce(checkpoint, info, client, options.split)
        with uninterrupted():
            recogniser = Recogniser(checkpoint, info, min(options.batch_size, count), options.device)
            recogniser.warm_up()
        with progress(options.split, count, "samples") as advance:
            figures, time_s = read_split(recogniser, client, options.split, advance)
        return Evaluation(
            checkpoint=checkpoint,
            info=info,
            dataset=client.dataset,
            split=options.split,
            batch_size=options.batch_size,
            device=options.device,
            time_s=time_s,
            figures=figures,
        )


@contextmanager
def _service(options: argparse.Namespace, info: "CheckpointInfo") -> Iterator[Access]:
    security = security_of(options, options.datagen)
    if options.datagen is not None:
        yield Access(options.datagen, security)
        return
    counts = {"train": info.split_count, "test": TEST_COUNT}
    with embedded_service(counts, seed=info.dataset_spec().seed) as embedded:
        yield Access(embedded)


def _announce(checkpoint: Path, info: "CheckpointInfo", client: DatasetClient, split: str) -> None:
    count, fingerprint = client.dataset.counts[split], client.dataset.fingerprint[:12]
    print(
        f"reading {count:,} {split} samples, fingerprint {fingerprint}, "
        f"with {checkpoint} (epoch {info.epoch}, step {info.global_step:,})",
        file=sys.stderr,
        flush=True,
    )


def _gate(evaluation: "Evaluation", min_accuracy: float | None) -> int:
    total = evaluation.figures.total
    if min_accuracy is None or total.accuracy >= min_accuracy:
        return 0
    count = f"{total.correct:,} of {total.samples:,} samples"
    print(
        f"evaluator: exact match {total.accuracy:.6g} ({count}) is below --min-accuracy {min_accuracy}", file=sys.stderr
    )
    return 1


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a number from 1, got {text!r}")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a fraction in 0..1, such as 0.99, got {text!r}")
    return value
