"""A whole pass over a split of a real service."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.evaluate import Evaluation, best_of, check_batch_size, check_dataset, count_all, reading
from evaluator.report.report import full_report, summary
from evaluator.scores import Score
from evaluator.split_reader import Share, read_share
from shared.client import DatasetClient, connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import ForeignDataset, UsageError
from shared.protocol.batch import label_of
from shared.recogniser.checkpoint import read_info
from shared.recogniser.predictor import Recogniser
from shared.security.credentials import Access
from tests.evaluator.conftest import COUNTS, Setting
from tests.evaluator.oracle import figures_from


@pytest.fixture(scope="module")
def recogniser(setting: Setting) -> Recogniser:
    return Recogniser(setting.checkpoint, read_info(setting.checkpoint), "cpu")


@pytest.fixture(scope="module")
def client(setting: Setting) -> Iterator[DatasetClient]:
    with connect(setting.target) as client:
        yield client


def share_of(setting: Setting, batch_size: int) -> Share:
    return Share(checkpoint=setting.checkpoint, device="cpu", split="test", batch_size=batch_size)


def evaluation(setting: Setting, recogniser: Recogniser, client: DatasetClient, batch_size: int = 64) -> Evaluation:
    return counted(setting, read_share(share_of(setting, batch_size), recogniser, client))


def counted(setting: Setting, batches: Iterator[Any]) -> Evaluation:
    advanced: list[int] = []
    figures, time_s = count_all(batches, setting.dataset, "test", advanced.append)
    assert sum(advanced) == COUNTS["test"]
    return Evaluation(
        checkpoint=setting.checkpoint,
        info=read_info(setting.checkpoint),
        dataset=setting.dataset,
        split="test",
        batch_size=64,
        ranks=1,
        device="cpu",
        time_s=time_s,
        figures=figures,
    )


def told(one: Evaluation) -> str:
    return json.dumps([summary(one), full_report(one, [one])])


@pytest.fixture(scope="module")
def whole(setting: Setting, recogniser: Recogniser, client: DatasetClient) -> Evaluation:
    return evaluation(setting, recogniser, client)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_any_batch_size_gives_the_same_bytes(
    setting: Setting, recogniser: Recogniser, client: DatasetClient, whole: Evaluation, batch_size: int
) -> None:
    assert told(evaluation(setting, recogniser, client, batch_size)) == told(whole)


@pytest.mark.parametrize(
    "batch_size",
    [pytest.param(1, marks=pytest.mark.long), 7, *(pytest.param(n, marks=pytest.mark.long) for n in (64, 1000))],
)
def test_two_ranks_give_the_same_bytes(
    setting: Setting, client: DatasetClient, whole: Evaluation, batch_size: int
) -> None:
    with reading(
        share_of(setting, batch_size), read_info(setting.checkpoint), Access(setting.target), client, 2
    ) as batches:
        assert told(counted(setting, batches)) == told(whole)


def test_a_rank_that_cannot_go_on_says_why(setting: Setting, client: DatasetClient, tmp_path: Path) -> None:
    gone = dataclasses.replace(share_of(setting, 8), checkpoint=tmp_path / "gone.ckpt")
    with (
        pytest.raises(UsageError, match=r"rank 0: .*gone\.json is missing"),
        reading(gone, read_info(setting.checkpoint), Access(setting.target), client, 2),
    ):
        pass


def test_every_figure_equals_a_plain_computation_on_the_same_logits(
    setting: Setting, recogniser: Recogniser, client: DatasetClient, whole: Evaluation
) -> None:
    """Samples fetched one by one through another call of the service, read one by one, counted by hand."""
    spec = setting.dataset.spec
    samples = client.samples("test", range(COUNTS["test"]))
    labels = [label_of(sample.text, spec.alphabet, spec.max_length) for sample in samples]
    pairs = [(sample.image[np.newaxis], label[np.newaxis]) for sample, label in zip(samples, labels, strict=True)]
    logits = np.concatenate([recogniser.run(image, label)[0] for image, label in pairs], axis=1)
    expected = figures_from(logits, [sample.text for sample in samples], spec.alphabet)
    got = full_report(whole, [whole])
    for key in ("accuracy", "correct", "samples"):
        assert got[key] == expected[key]
    assert got["ci95"] == pytest.approx(expected["ci95"])
    assert got["by_length"].keys() == expected["by_length"].keys()
    for length, score in expected["by_length"].items():
        assert got["by_length"][length] == {**score, "ci95": pytest.approx(score["ci95"])}
    assert got["character_error_rate"] == pytest.approx(expected["character_error_rate"])
    assert got["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert got["confusion"]["counts"] == expected["confusion"]
    assert got["calibration"]["error"] == pytest.approx(expected["calibration"]["error"], rel=1e-5)
    for bin_got, bin_expected in zip(got["calibration"]["bins"], expected["calibration"]["bins"], strict=True):
        assert bin_got["samples"] == bin_expected["samples"]
        assert bin_got["mean_confidence"] == pytest.approx(bin_expected["mean_confidence"], rel=1e-5)
    assert [(each["index"], each["truth"], each["reading"]) for each in got["errors"]] == expected["errors"]


def test_the_best_has_most_right_then_the_lowest_loss(whole: Evaluation) -> None:
    def scored(correct: int, loss: float) -> Evaluation:
        figures = dataclasses.replace(whole.figures, total=Score(130, correct), loss=loss)
        return dataclasses.replace(whole, figures=figures)

    few, many, better = scored(3, 0.1), scored(9, 0.5), scored(9, 0.4)
    assert best_of([few, many, better]) is better
    assert best_of([better, many, few]) is better


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
    check_batch_size(2184, 1, setting.dataset.spec)
    with pytest.raises(UsageError, match="--batch-size must be at most 2184 for images of 160x64, got 2185"):
        check_batch_size(2185, 1, setting.dataset.spec)
    with pytest.raises(UsageError, match="at most 1024 for images of 160x64 and 64 ranks, got 1025"):
        check_batch_size(1025, 64, setting.dataset.spec)


def test_an_infinite_loss_is_no_number_in_the_report(whole: Evaluation) -> None:
    figures = dataclasses.replace(whole.figures, loss=float("inf"))
    assert summary(dataclasses.replace(whole, figures=figures))["loss"] is None
