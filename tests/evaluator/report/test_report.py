"""The report's files: the same bytes for the same figures, whole or not at all, for any alphabet and any outcome."""

import json
import re
import string
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.cli import main
from evaluator.evaluate import Evaluation
from evaluator.report.charts import validation_chart
from evaluator.report.error_examples import ErrorExample, error_examples, runs_of
from evaluator.report.html_page import frequent_confusions, render_page
from evaluator.report.loss_history import MAX_POINTS, Point, read_history, thinned
from evaluator.report.report_json import configuration
from evaluator.scores import EvaluatedBatch, PredictionError, ScoreAccumulator
from shared.client import connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import UsageError
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.ctc_decoding import PredictedBatch
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
        info=replace(read_info(setting.checkpoint), dataset=asdict(dataset.spec)),
        dataset=dataset,
        split="test",
        batch_size=64,
        device="cpu",
        time_s=1.0,
        figures=accumulator.figures(),
    )


def page_of(evaluation: Evaluation, history: list[Point] | None = None) -> str:
    spec = evaluation.dataset.spec
    examples = [
        ErrorExample(
            error, "data:,", 160, 64, runs_of(error.path, error.frame_confidences, spec.alphabet), [(error.truth, "")]
        )
        for error in evaluation.figures.errors
    ]
    return render_page(evaluation, [evaluation], examples, history or [], configuration(evaluation))


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
    assert "No training curve" in text
    assert "No accuracy curve" in text


def test_the_page_is_drawn_again_with_the_same_bytes(setting: Setting) -> None:
    def drawn() -> str:
        evaluation = evaluation_of(setting, "01", [("0", "1"), ("1", "1")])
        return page_of(evaluation, [Point(1, 5.0, 1.0), Point(2, 0.5, 2.0)])

    assert drawn() == drawn()


def test_the_most_frequent_confusions_come_first(setting: Setting) -> None:
    pairs = [("0", "1")] * 3 + [("1", "")] * 2 + [("01", "011")] + [("1", "1")] * 9
    figures = evaluation_of(setting, "01", pairs).figures
    assert frequent_confusions(figures)[:2] == [("0", "1", 3), ("1", "", 2)]
    assert sum(times for *_, times in frequent_confusions(figures)) == 6


def error_of(index: int, loss: float) -> PredictionError:
    return PredictionError(index, "12", "1", 0.5, loss, path=(1, 1, 10, 2), frame_confidences=(0.5, 0.7, 1.0, 0.9))


def test_the_gallery_shows_the_highest_losses_with_the_images_of_the_service(setting: Setting) -> None:
    errors = [error_of(index, loss=float(index % 50)) for index in range(130)]
    with connect(setting.target) as client:
        examples = error_examples(errors, "test", "0123456789", client)
        assert error_examples([], "test", "0123456789", client) == []
    assert [example.error.index for example in examples][:4] == [49, 99, 48, 98]
    assert len(examples) == 24
    assert len({example.image for example in examples}) == 24
    first = examples[0]
    assert (first.width, first.height) == (160, 64)
    assert first.edits == ["2 deleted"]
    runs = [(run.frames, run.character, round(run.confidence, 3)) for run in first.runs]
    assert runs == [("0 to 1", "1", 0.6), ("2", "", 1.0), ("3", "2", 0.9)]


def test_the_history_of_a_run_is_thinned_and_incomplete_lines_are_left_out(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "warpctc-1-1.ckpt"
    assert read_history(checkpoint) == []
    rows = [json.dumps({"step": step, "loss": 1 / step, "elapsed_s": step}) for step in range(1, 2001)]
    rows[5:5] = ["{", "[]", '{"step": 3}', '{"step": 4, "loss": NaN}', '{"step": "x", "loss": 1}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*rows, '{"step": 2001, "lo']))
    assert len(read_history(checkpoint)) == 2000
    history = thinned(read_history(checkpoint))
    assert len(history) == MAX_POINTS
    assert history[-1] == Point(2000, 1 / 2000, 2000.0)
    assert [point.step for point in history] == sorted(point.step for point in history)


def test_every_validation_of_a_run_is_charted_and_fewer_than_two_are_not(tmp_path: Path) -> None:
    valid = {500: 0.25, 1000: 0.75, 1500: 0.5}
    rows = [{"step": step, "loss": 1.0, "valid_accuracy": valid.get(step)} for step in range(1, 2001)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    history = read_history(tmp_path / "checkpoints" / "warpctc-1-1.ckpt")
    chart = validation_chart(history, 1000)
    assert "Validation while training, 3 times: 75.00% at best, after 1,000 steps" in str(chart)
    assert validation_chart(history[:600], 600) is None


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
