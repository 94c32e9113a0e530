"""The report's files: the same bytes for the same figures, whole or not at all, for any alphabet and any outcome."""

import json
import re
import string
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.cli import main
from evaluator.evaluate import Evaluation
from evaluator.report.examples import Example, examples_of, runs_of, worst_errors
from evaluator.report.html_page import Gallery, frequent_confusions, render_page
from evaluator.report.report_json import configuration
from evaluator.report.training import Training, read_training
from evaluator.scores import EvaluatedBatch, SamplePrediction, ScoreAccumulator
from shared.client import connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import UsageError
from shared.page.run_history import HistoryRow
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.ctc.ctc_decoding import PredictedBatch
from tests.evaluator.conftest import Setting

STRANGE = "<>&\"'${}\\%#"


def evaluation_of(setting: Setting, alphabet: str, samples: list[tuple[str, str]]) -> Evaluation:
    """(truth, prediction) pairs as if a network had predicted them."""
    accumulator = ScoreAccumulator(alphabet, 4)
    count = len(samples)
    batch = EvaluatedBatch(
        indices=np.arange(count, dtype=np.uint64),
        truths=[truth for truth, _ in samples],
        losses=np.arange(count, dtype=np.float32),
        predictions=PredictedBatch(
            texts=[prediction for _, prediction in samples],
            confidences=np.linspace(0, 1, count),
            paths=np.tile([0, 0, len(alphabet), 1], (count, 1)),
            frame_confidences=np.full((count, 4), 0.5),
        ),
    )
    accumulator.add(batch)
    dataset = Dataset(spec=DatasetSpec(alphabet=alphabet), counts={"test": count}, fingerprint="f" * 64)
    return Evaluation(
        checkpoint=setting.checkpoint,
        info=replace(read_info(setting.checkpoint), dataset=dataset.spec.to_mapping()),
        dataset=dataset,
        split="test",
        batch_size=64,
        device="cpu",
        time_s=1.0,
        figures=accumulator.figures(),
    )


def example_of(prediction: SamplePrediction, alphabet: str) -> Example:
    runs = runs_of(prediction.path, prediction.frame_confidences, alphabet)
    return Example(prediction, "data:,", 160, 64, runs, [(prediction.truth, prediction.prediction)])


def page_of(evaluation: Evaluation, history: Sequence[HistoryRow] = (), **config: Any) -> str:
    figures, alphabet = evaluation.figures, evaluation.dataset.spec.alphabet
    worst, right = ([example_of(each, alphabet) for each in group] for group in (figures.errors, figures.right))
    training = Training(config, history)
    return render_page(evaluation, [evaluation], Gallery(worst, right), training, configuration(evaluation))


class _Page(HTMLParser):
    """Ids, text and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.text = ""
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src", "xlink:href"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("alphabet", [STRANGE, string.digits + string.ascii_letters + "+-"])
def test_any_alphabet_makes_a_page_with_ids_of_its_own_and_no_address_elsewhere(
    setting: Setting, alphabet: str
) -> None:
    samples = [(first, second) for first, second in zip(alphabet, alphabet[1:] + alphabet[0], strict=True)]
    page = _Page(page_of(evaluation_of(setting, alphabet, [*samples, (alphabet[:4], ""), (alphabet[1], alphabet[1])])))
    assert len(set(page.ids)) == len(page.ids)
    assert all(re.match(r"#|data:", address) for address in page.addresses)
    assert f"{alphabet[0]} predicted as {alphabet[1]}" in re.sub(r"\s+", " ", page.text)
    for address in page.addresses:
        assert not address.startswith("#") or address[1:] in page.ids


def test_a_page_without_errors_or_a_run_says_so(setting: Setting) -> None:
    text = _Page(page_of(evaluation_of(setting, "01", [("0", "0"), ("1", "1")]))).text
    assert "No prediction was wrong." in text
    assert "No character was predicted wrong." in text
    assert "No training curve: there is no metrics.jsonl" in text
    assert "2 of 2 right predictions" in text
    assert "No accuracy curve" in text


def test_characters_of_neighbouring_frames_stand_apart_below_the_picture() -> None:
    def places(path: tuple[int, ...]) -> dict[str, float]:
        prediction = SamplePrediction(0, "", "", 0.5, 1.0, path, frame_confidences=(0.5,) * len(path))
        return dict(example_of(prediction, string.digits).labels)

    blank = (10,)
    alone = places(blank * 10 + (3,) + blank * 29)
    assert alone == {"3": 42.0}  # The middle of frame 10 of 40, 4 pixels each.
    close = places(blank * 10 + (2, 7, 1) + blank * 27)
    assert close["2"] == 42.0
    assert close["7"] - close["2"] == close["1"] - close["7"] == pytest.approx(8.5)
    at_the_end = places(blank * 38 + (2, 7))
    assert at_the_end["7"] <= 160 - 8.5 / 2
    assert at_the_end["7"] - at_the_end["2"] == pytest.approx(8.5)
    crowded = list(places(tuple(number % 10 for number in range(10)) * 4).values())
    assert min(crowded) >= 0
    assert max(crowded) <= 160


def test_the_page_is_drawn_again_with_the_same_bytes(setting: Setting) -> None:
    def drawn() -> str:
        evaluation = evaluation_of(setting, "01", [("0", "1"), ("1", "1")])
        return page_of(evaluation, [HistoryRow(1, 5.0, 1.0), HistoryRow(2, 0.5, 2.0)])

    assert drawn() == drawn()


def test_the_most_frequent_confusions_come_first(setting: Setting) -> None:
    pairs = [("0", "1")] * 3 + [("1", "")] * 2 + [("01", "011")] + [("1", "1")] * 9
    figures = evaluation_of(setting, "01", pairs).figures
    assert frequent_confusions(figures)[:2] == [("0", "1", 3), ("1", "", 2)]
    assert sum(times for *_, times in frequent_confusions(figures)) == 6


def error_of(index: int, loss: float) -> SamplePrediction:
    return SamplePrediction(index, "12", "1", 0.5, loss, path=(1, 1, 10, 2), frame_confidences=(0.5, 0.7, 1.0, 0.9))


def test_the_gallery_shows_the_highest_losses_with_the_images_of_the_service(setting: Setting) -> None:
    errors = [error_of(index, loss=float(index % 50)) for index in range(130)]
    with connect(setting.target) as client:
        examples = examples_of(worst_errors(errors), "test", "0123456789", client)
        assert examples_of([], "test", "0123456789", client) == []
    assert [example.prediction.index for example in examples][:4] == [49, 99, 48, 98]
    assert len(examples) == 24
    assert len({example.image for example in examples}) == 24
    first = examples[0]
    assert (first.width, first.height) == (160, 64)
    assert first.edits == ["2 deleted"]
    runs = [(run.frames, run.character, round(run.confidence, 3)) for run in first.runs]
    assert runs == [("0 to 1", "1", 0.6), ("2", "", 1.0), ("3", "2", 0.9)]


def chart_of(page: str, label: str) -> str:
    found = re.search(rf'<svg class="chart" role="img" aria-label="{label}.*?</svg>', page, re.DOTALL)
    assert found, label
    return found[0]


def test_two_log_lines_make_charts_with_numbers_at_their_axes(setting: Setting) -> None:
    evaluation = evaluation_of(setting, "01", [("0", "1"), ("1", "1")])
    rows = [
        HistoryRow(50, 0.91, 9.0, lr=0.001, grad_norm=1.5, images_per_s=12_345.0, wait_shares=(0.1, 0.2)),
        HistoryRow(99_950, 0.90, 99.0, lr=0.002, grad_norm=1.2, images_per_s=22_345.0, wait_shares=(0.2, 0.4)),
    ]
    page = page_of(evaluation, rows)
    for label in ("CTC loss", "learning rate", "gradient norm", "images/s", "waiting"):
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart_of(page, label))
        numbers = [text for text in texts if re.fullmatch(r"[\d.,]+%?", text)]
        assert len(set(numbers)) >= 5, (label, texts)
    assert "20,000" in chart_of(page, "images/s")
    assert "one log line" in _Page(page_of(evaluation, rows[:1])).text


def test_the_page_names_what_was_trained(setting: Setting) -> None:
    evaluation = evaluation_of(setting, "01", [("0", "1"), ("1", "1")])
    config: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "clip_norm": 10.0, "seed": 3}
    text = _Page(page_of(evaluation, decay_epochs=10, **config)).text
    for fact in ("sgd, momentum 0.9", "0.01, times 0.1 every 10 epochs", "64 samples a step", "1, in epoch 1", "3 of"):
        assert fact in text
    assert "40 samples, 160x64 pixels, 1 to 4 of 01, default style" in text


def test_counts_of_five_digits_are_written_smaller(setting: Setting) -> None:
    pairs = [("0", "1")] * 12_345 + [("1", "1")]
    page = page_of(evaluation_of(setting, "0123456789", pairs))
    size = re.search(r'font-size="([\d.]+)px"[^>]*>12345<', chart_of(page, "Heat map"))
    assert size
    # A cell of 11 columns is about 25 pixels wide, a digit 0.6 of its size.
    assert 5 * 0.6 * float(size[1]) < 25


def test_what_was_trained_is_empty_outside_a_run_and_odd_files_are_no_harm(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "warpctc-1-1.ckpt"
    assert read_training(checkpoint) == Training({}, [])
    for text in ("[1, 2]", "a: [", "\0"):
        (tmp_path / "config.yaml").write_text(text)
        assert read_training(checkpoint) == Training({}, [])
    (tmp_path / "config.yaml").write_text("optimizer: adam")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}')
    assert read_training(checkpoint) == Training({"optimizer": "adam"}, [HistoryRow(1, 2.0)])


def test_reports_of_any_batch_size_are_the_same_bytes_and_seconds_stand_apart(
    setting: Setting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files: list[dict[str, bytes]] = []
    for batch_size in ("7", "64"):
        folder = tmp_path / batch_size
        more = ["--split", "train", "--batch-size", batch_size, "--report", str(folder)]
        assert main(["--ckpt", str(setting.run_dir), "--datagen", setting.target, *more]) == 0
        assert str(folder / "index.html") in capsys.readouterr().out
        files.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert files[0].keys() == {"index.html", "report.json", "timing.json"}
    timing: list[dict[str, Any]] = [json.loads(each.pop("timing.json")) for each in files]
    assert [each["batch_size"] for each in timing] == [7, 64]
    assert timing[0].keys() == {"time_s", "images_per_s", "batch_size"}
    assert files[0] == files[1]


def test_a_report_that_cannot_be_written_is_one_line(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*index\.html: Is a directory"):
        main(
            ["--ckpt", str(setting.run_dir), "--datagen", setting.target, "--split", "train", "--report", str(tmp_path)]
        )
