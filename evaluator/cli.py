"""The evaluator's command line: reads argv, finds or starts the data set service, reads a split, says what came out."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator import predict
from shared.client import DatasetClient, connect
from shared.errors import UsageError
from shared.protocol.request import count_of
from shared.security.credentials import Access, add_security_options, security_of
from shared.system.command_line import CommandParser, positive, progress
from shared.system.embedded_service import embedded_service
from shared.system.signals import uninterrupted

if TYPE_CHECKING:
    from evaluator.evaluate import Evaluation
    from shared.recogniser.checkpoint import CheckpointInfo

TEST_COUNT = 10_000
"Samples in the test split of the embedded service."
MAX_RANKS = 64
_EXAMPLES = """\
examples:
  python -m evaluator --ckpt run                           the newest checkpoint, on a test split drawn here
  python -m evaluator --ckpt run --datagen 10.0.0.5:50051  on the test split of a service
  python -m evaluator --ckpt run --report report           and a page to look at: figures, charts, the worst errors
  python -m evaluator --ckpt run --best --report report    the best checkpoint of the run, and how accuracy grew
  python -m evaluator --ckpt run --min-accuracy 0.99       as a gate: ends with 1 below that
  python -m evaluator predict one.png two.jpg --ckpt run   what stands in pictures of your own
"""


def main(argv: Sequence[str]) -> int:
    """Evaluates one checkpoint: 0, or 1 when it does not reach --min-accuracy. `predict` reads pictures instead."""
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:])
    options = build_parser().parse_args(argv)
    # MindSpore takes seconds to import: --help and a mistyped flag do not wait for it.
    with uninterrupted():
        from evaluator.report import report, terminal

    evaluation, page = _evaluate(options)
    if options.json:
        print(json.dumps(report.summary(evaluation), allow_nan=False))
    else:
        terminal.show(evaluation, page)
    return _gate(evaluation, options.min_accuracy)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = CommandParser(
        "python -m evaluator",
        description="Reads a split, every sample exactly once, with a trained checkpoint, and says how well.\n"
        "python -m evaluator predict --help: pictures of your own instead.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--ckpt", type=Path, required=True, metavar="FILE|RUN_DIR", help="a run means its newest checkpoint"
    )
    parser.add_argument("--best", action="store_true", help="read the split with every checkpoint that the run has "
                        "kept, one pass each, and report the one with the highest exact match")  # fmt: skip
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--split", default="test", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--ranks", type=positive, default=1, metavar="N", help="processes that share the split; "
                        "changes no figure; default: %(default)s")  # fmt: skip
    parser.add_argument("--batch-size", type=positive, default=64, metavar="N", help="samples in one message to a "
                        "rank; changes no figure; default: %(default)s")  # fmt: skip
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write index.html, report.json and timing.json there"
    )
    parser.add_argument(
        "--min-accuracy", type=_fraction, metavar="X", help="end with 1 when exact match is below, 0..1"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    add_security_options(parser)
    return parser


def _evaluate(options: argparse.Namespace) -> tuple["Evaluation", Path | None]:
    """What came out, and where the report is if one was asked for."""
    from evaluator.evaluate import best_of, check_batch_size, check_dataset
    from evaluator.report.report import prepare_folder, write_report
    from shared.recogniser.checkpoint import read_info
    from shared.recogniser.device import set_device

    checkpoints = _checkpoints(options)
    infos = {checkpoint: read_info(checkpoint) for checkpoint in checkpoints}
    newest = infos[checkpoints[-1]]
    set_device(options.device)
    if options.ranks > MAX_RANKS:
        raise UsageError(f"--ranks must be at most {MAX_RANKS}, got {options.ranks}")
    check_batch_size(options.batch_size, options.ranks, newest.dataset_spec())
    if options.report is not None:
        prepare_folder(options.report)
    with _service(options, newest) as access, connect(access.target, security=access.security) as client:
        for checkpoint, info in infos.items():
            check_dataset(checkpoint, info, client.dataset)
        count_of(client.dataset, options.split)
        evaluations = [_read_with(checkpoint, info, access, client, options) for checkpoint, info in infos.items()]
        chosen = best_of(evaluations)
        page = options.report and write_report(chosen, evaluations, client, options.report)
    return chosen, page


def _checkpoints(options: argparse.Namespace) -> list[Path]:
    from shared.recogniser.checkpoint import find_checkpoint, find_checkpoints

    if not options.best:
        return [find_checkpoint(options.ckpt)]
    if options.ckpt.is_file():
        raise UsageError(f"--best chooses among the checkpoints of a run, but {options.ckpt} is one; give its run")
    return find_checkpoints(options.ckpt)


def _read_with(
    checkpoint: Path, info: "CheckpointInfo", access: Access, client: DatasetClient, options: argparse.Namespace
) -> "Evaluation":
    from evaluator.evaluate import Evaluation, count_all, reading
    from evaluator.split_reader import Share

    _announce(checkpoint, info, client, options.split)
    count = client.dataset.counts[options.split]
    batch_size = min(options.batch_size, count)
    share = Share(checkpoint=checkpoint, device=options.device, split=options.split, batch_size=batch_size)
    readers = reading(share, info, access, client, options.ranks)
    with readers as batches, progress(options.split, count, "samples") as advance:
        figures, time_s = count_all(batches, client.dataset, options.split, advance)
    return Evaluation(
        checkpoint=checkpoint,
        info=info,
        dataset=client.dataset,
        split=options.split,
        batch_size=options.batch_size,
        ranks=options.ranks,
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
        f"reading {count:,} {split} samples, fingerprint {fingerprint}\n"
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


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a fraction in 0..1, such as 0.99, got {text!r}")
    return value
