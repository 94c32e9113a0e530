"""A whole pass over a split of a real service."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from evaluator.evaluate import Evaluation, check_batch_size, check_dataset, read_split
from evaluator.recogniser import Recogniser
from evaluator.report import full_report, summary
from shared.batch import label_of
from shared.client import connect
from shared.errors import ForeignDataset, UsageError
from shared.nn.checkpoint import read_info
from shared.spec import Dataset, DatasetSpec
from tests.evaluator.conftest import COUNTS, Setting


def evaluation(setting: Setting, batch_size: int, split: str = "test") -> Evaluation:
    info = read_info(setting.checkpoint)
    advanced: list[int] = []
    with connect(setting.target) as client:
        reader = Recogniser(setting.checkpoint, info, batch_size, "cpu")
        figures, time_s = read_split(reader, client, split, advanced.append)
    assert sum(advanced) == COUNTS[split]
    return Evaluation(
        checkpoint=setting.checkpoint,
        info=info,
        dataset=setting.dataset,
        split=split,
        batch_size=batch_size,
        device="cpu",
        time_s=time_s,
        figures=figures,
    )


@pytest.fixture(scope="module")
def whole(setting: Setting) -> Evaluation:
    """In one batch, which holds the whole split exactly."""
    return evaluation(setting, COUNTS["test"])


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_any_batch_size_gives_the_same_figures(setting: Setting, whole: Evaluation, batch_size: int) -> None:
    other = evaluation(setting, batch_size)
    assert summary(other) == summary(whole)
    assert full_report(other)["confusion"] == full_report(whole)["confusion"]
    readings = [[(each.index, each.reading) for each in one.figures.misread] for one in (other, whole)]
    assert readings[0] == readings[1]
    assert other.figures.total.samples == COUNTS["test"]


def test_the_figures_equal_loops_over_single_samples(setting: Setting, whole: Evaluation) -> None:
    """Samples fetched one by one through another call of the service, read one by one, counted by hand."""
    spec = setting.dataset.spec
    reader = Recogniser(setting.checkpoint, read_info(setting.checkpoint), 1, "cpu")
    with connect(setting.target) as client:
        samples = client.samples("test", range(COUNTS["test"]))
    misread, losses = [], []
    for sample in samples:
        label = label_of(sample.text, spec.alphabet, spec.max_length)
        logits, loss = reader.run(sample.image[np.newaxis], label[np.newaxis])
        text, last = "", spec.blank
        for value in logits[:, 0].argmax(axis=1).tolist():
            text += spec.alphabet[value] if value not in (last, spec.blank) else ""
            last = value
        losses.append(float(loss[0]))
        if text != sample.text:
            misread.append((sample.index, sample.text, text))
    assert [(each.index, each.truth, each.reading) for each in whole.figures.misread] == misread
    assert whole.figures.total.correct == COUNTS["test"] - len(misread)
    assert whole.figures.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_a_checkpoint_is_taken_for_the_data_set_it_was_trained_on(setting: Setting) -> None:
    check_dataset(setting.checkpoint, read_info(setting.checkpoint), setting.dataset)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (DatasetSpec(seed=3), r"seed 0 \(here 3\)"),
        (DatasetSpec(width=128, height=32), r"width 160 \(here 128\), height 64 \(here 32\)"),
        (DatasetSpec(alphabet="abc"), r"alphabet '0123456789' \(here 'abc'\)"),
        (DatasetSpec(), r"same spec, drawn by another renderer: fingerprint [0-9a-f]{12} \(here 000000000000\)"),
    ],
)
def test_a_foreign_data_set_is_refused_by_name(setting: Setting, spec: DatasetSpec, problem: str) -> None:
    foreign = Dataset(spec=spec, fingerprint="0" * 64)
    with pytest.raises(ForeignDataset, match=rf"was trained on .*{problem}; give --datagen a service"):
        check_dataset(setting.checkpoint, read_info(setting.checkpoint), foreign)


def test_a_batch_that_does_not_travel_in_one_message_is_refused(setting: Setting) -> None:
    check_batch_size(2184, setting.dataset.spec)
    with pytest.raises(UsageError, match="--batch-size must be at most 2184 for images of 160x64, got 2185"):
        check_batch_size(2185, setting.dataset.spec)


def test_an_infinite_loss_is_no_number_in_the_report(whole: Evaluation, tmp_path: Path) -> None:
    figures = dataclasses.replace(whole.figures, loss=float("inf"))
    assert summary(dataclasses.replace(whole, figures=figures))["loss"] is None
