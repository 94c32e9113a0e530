"""What `python -m evaluator` does once its arguments are read: service, passes over the split, output, gate."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from evaluator.evaluate import Evaluation, best_of, check_batch_size, check_dataset, check_same_dataset, count_all
from evaluator.report import terminal
from evaluator.report.report import prepare_folder, write_report
from evaluator.report.report_json import summary
from evaluator.split_prediction import SplitPredictor
from shared.client import DatasetClient, connect
from shared.client.wait_option import retry_policy_of
from shared.dataset.fonts import FontFiles
from shared.dataset.spec import Dataset
from shared.dataset.spec_options import RenderSpec
from shared.errors import UsageError
from shared.protocol.request import count_of
from shared.recogniser.checkpoint_info import CheckpointInfo, find_checkpoint, find_checkpoints, read_info
from shared.recogniser.checkpoint_network import check_device
from shared.security.credentials import Access, security_of
from shared.system.command_line import load_module
from shared.system.embedded_service import embedded_service
from shared.system.progress import announced, progress
from shared.system.signals import uninterrupted

TEST_COUNT = 10_000
"Samples in the test split of the embedded service."


def run(options: argparse.Namespace) -> int:
    """Evaluates and prints the figures; returns the exit code: 1 when --min-accuracy is not reached."""
    evaluation, page = _evaluate_all(options)
    if options.json:
        print(json.dumps(summary(evaluation), allow_nan=False))
    else:
        terminal.show(evaluation, page)
    return _check_gate(evaluation, options.min_accuracy)


def _evaluate_all(options: argparse.Namespace) -> tuple[Evaluation, Path | None]:
    """The evaluation, with --best of the best checkpoint, and the page of the report if one was asked for."""
    checkpoints = _checkpoints(options)
    infos = {checkpoint: read_info(checkpoint) for checkpoint in checkpoints}
    newest = infos[checkpoints[-1]]
    check_device(options.device)
    if options.report is not None:
        prepare_folder(options.report)
    policy = retry_policy_of(options)
    with _service(options, newest) as access, connect(access.target, policy, access.security) as client:
        check = check_same_dataset if options.datagen is None else check_dataset
        for checkpoint, info in infos.items():
            check(checkpoint, info, client.dataset)
        count_of(client.dataset, options.split)
        check_batch_size(options.batch_size, client.dataset.spec)
        evaluations = [_evaluate(checkpoint, info, client, options) for checkpoint, info in infos.items()]
        best = best_of(evaluations)
        page = options.report and write_report(best, evaluations, client, options.report)
    return best, page


def _checkpoints(options: argparse.Namespace) -> list[Path]:
    if not options.best:
        return [find_checkpoint(options.ckpt)]
    if options.ckpt.is_file():
        raise UsageError(f"--best chooses among the checkpoints of a run, but {options.ckpt} is one; give its run")
    return find_checkpoints(options.ckpt)


def _evaluate(checkpoint: Path, info: CheckpointInfo, client: DatasetClient, options: argparse.Namespace) -> Evaluation:
    _announce(checkpoint, info, client, options.split)
    count = client.dataset.counts[options.split]
    with announced("loading the network"), uninterrupted():
        predictor = SplitPredictor(checkpoint, info, client.dataset.spec, options.device)
    batches = predictor.predict_split(client, options.split, min(options.batch_size, count))
    with progress(options.split, count, "samples") as advance:
        figures, time_s = count_all(batches, client.dataset, options.split, info.dataset_spec().alphabet, advance)
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
def _service(options: argparse.Namespace, info: CheckpointInfo) -> Iterator[Access]:
    security = security_of(options, options.datagen)
    if options.datagen is not None:
        yield Access(options.datagen, security)
        return
    counts = {"train": info.split_count, "test": TEST_COUNT}
    # What predicts takes as long to import as the service to start.
    prepare = partial(load_module, "shared.recogniser.onnx.predictor")
    with embedded_service(counts, _render_spec(info, options.fonts), while_it_starts=prepare) as target:
        yield Access(target)


def _render_spec(info: CheckpointInfo, fonts: list[Path]) -> RenderSpec:
    """The data set trained on; its fonts are those given, or where they were when the run began."""
    spec, given = info.dataset_spec(), FontFiles.read(fonts)
    if spec.is_imported:
        raise UsageError("the checkpoint was trained on imported pictures; give --datagen a service of them")
    noted = FontFiles.read([Path(path) for path in info.fonts.values() if Path(path).is_file()])
    return RenderSpec.of(spec, given | noted)


def _announce(checkpoint: Path, info: CheckpointInfo, client: DatasetClient, split: str) -> None:
    count, fingerprint = client.dataset.counts[split], client.dataset.fingerprint[:12]
    print(
        f"evaluating {checkpoint} (epoch {info.epoch}, step {info.global_step:,})\n"
        f"on {count:,} {split} samples, fingerprint {fingerprint}{_other_dataset(info, client.dataset)}",
        file=sys.stderr,
        flush=True,
    )


def _other_dataset(info: CheckpointInfo, dataset: Dataset) -> str:
    """What differs from the data set trained on, in words; empty when it is the same."""
    if info.fingerprint == dataset.fingerprint:
        return ""
    trained, served = info.dataset_spec(), dataset.spec
    sizes = (f"{spec.width}x{spec.height}" for spec in (served, trained))
    fitted = "" if served.image_shape == trained.image_shape else ", images fitted from {} to {}".format(*sizes)
    return f"; trained on fingerprint {info.fingerprint[:12]}{fitted}"


def _check_gate(evaluation: Evaluation, min_accuracy: float | None) -> int:
    total = evaluation.figures.total
    if min_accuracy is None or total.accuracy >= min_accuracy:
        return 0
    count = f"{total.correct:,} of {total.samples:,} samples"
    print(
        f"evaluator: exact match {total.accuracy:.6g} ({count}) is below --min-accuracy {min_accuracy}", file=sys.stderr
    )
    return 1
