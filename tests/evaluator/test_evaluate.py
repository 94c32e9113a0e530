"""A whole pass over a split of a real service."""

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest

from evaluator.evaluate import Evaluation, best_of, check_batch_size, check_dataset, check_same_dataset, count_all
from evaluator.report.report_json import full_report, summary
from evaluator.scores import Score
from evaluator.split_prediction import SplitPredictor
from shared.client import DatasetClient, connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import ForeignDataset, UsageError
from shared.recogniser.checkpoint_info import read_info
from tests.evaluator.conftest import COUNTS, Setting
from tests.evaluator.oracle import figures_from


@pytest.fixture(scope="module")
def predictor(setting: Setting) -> SplitPredictor:
    return SplitPredictor(setting.checkpoint, read_info(setting.checkpoint), setting.dataset.spec, "cpu")


@pytest.fixture(scope="module")
def client(setting: Setting) -> Iterator[DatasetClient]:
    with connect(setting.target) as client:
        yield client


def evaluation(setting: Setting, predictor: SplitPredictor, client: DatasetClient, batch_size: int = 64) -> Evaluation:
    advanced: list[int] = []
    batches = predictor.predict_split(client, "test", batch_size)
    figures, time_s = count_all(batches, setting.dataset, "test", setting.dataset.spec.alphabet, advanced.append)
    assert sum(advanced) == COUNTS["test"]
    return Evaluation(
        checkpoint=setting.checkpoint,
        info=read_info(setting.checkpoint),
        dataset=setting.dataset,
        split="test",
        batch_size=64,
        device="cpu",
        time_s=time_s,
        figures=figures,
    )


def as_json(one: Evaluation) -> str:
    return json.dumps([summary(one), full_report(one, [one])])


@pytest.fixture(scope="module")
def whole(setting: Setting, predictor: SplitPredictor, client: DatasetClient) -> Evaluation:
    return evaluation(setting, predictor, client)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_any_batch_size_gives_the_same_bytes(
    setting: Setting, predictor: SplitPredictor, client: DatasetClient, whole: Evaluation, batch_size: int
) -> None:
    assert as_json(evaluation(setting, predictor, client, batch_size)) == as_json(whole)


def test_every_figure_equals_a_plain_computation_on_the_same_logits(
    setting: Setting, predictor: SplitPredictor, client: DatasetClient, whole: Evaluation
) -> None:
    """Samples fetched through another call of the service, predicted one by one, counted by other code."""
    spec = setting.dataset.spec
    samples = client.samples("test", range(COUNTS["test"]))
    images = [sample.image[np.newaxis] for sample in samples]
    logits = np.concatenate([predictor.network.logits(image) for image in images], axis=1)
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


def test_a_checkpoint_is_taken_for_every_data_set_whose_characters_it_knows(setting: Setting) -> None:
    info = read_info(setting.checkpoint)
    check_same_dataset(setting.checkpoint, info, setting.dataset)
    for spec in (DatasetSpec(seed=3), DatasetSpec(width=128, height=32), DatasetSpec(alphabet="73", max_length=9)):
        check_dataset(setting.checkpoint, info, Dataset(spec=spec, fingerprint="0" * 64))
    unknown = Dataset(spec=DatasetSpec(alphabet="0a1b"), fingerprint="0" * 64)
    with pytest.raises(ForeignDataset, match=r"does not know characters .*: 'ab'; teach it: python -m trainer --init-"):
        check_dataset(setting.checkpoint, info, unknown)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (DatasetSpec(seed=3), r"seed 0 \(here 3\)"),
        (DatasetSpec(width=128, height=32), r"width 160 \(here 128\), height 64 \(here 32\)"),
        (DatasetSpec(alphabet="abc"), r"alphabet '0123456789' \(here 'abc'\)"),
        (DatasetSpec(), r"same spec, drawn by another renderer: fingerprint [0-9a-f]{12} \(here 000000000000\)"),
    ],
)
def test_another_data_set_is_refused_where_nobody_chose_it(setting: Setting, spec: DatasetSpec, problem: str) -> None:
    foreign = Dataset(spec=spec, fingerprint="0" * 64)
    with pytest.raises(ForeignDataset, match=rf"was trained on .*{problem}; give --datagen a service"):
        check_same_dataset(setting.checkpoint, read_info(setting.checkpoint), foreign)


def test_a_batch_that_does_not_travel_in_one_message_is_refused(setting: Setting) -> None:
    check_batch_size(2184, setting.dataset.spec)
    with pytest.raises(UsageError, match="--batch-size must be at most 2184 for images of 160x64, got 2185"):
        check_batch_size(2185, setting.dataset.spec)


def test_an_infinite_loss_is_no_number_in_the_report(whole: Evaluation) -> None:
    figures = dataclasses.replace(whole.figures, loss=float("inf"))
    assert summary(dataclasses.replace(whole, figures=figures))["loss"] is None
