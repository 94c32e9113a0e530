"""Where the files of a run lie."""

from pathlib import Path

from shared.recogniser.run_layout import RunLayout, runs_of


def test_the_promised_names_stay() -> None:
    run = RunLayout(Path("run"))
    files = run.config_file, run.metrics_file, run.receipts, run.logs
    assert [str(file) for file in files] == ["run/config.yaml", "run/metrics.jsonl", "run/receipts", "run/logs"]


def test_the_configured_folder_of_checkpoints_comes_first_and_none_twice(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    assert run.checkpoint_folders() == [tmp_path / "checkpoints", tmp_path]
    run.config_file.write_text("save_checkpoint_path: elsewhere\n")
    assert run.checkpoint_folders() == [tmp_path / "elsewhere", tmp_path / "checkpoints", tmp_path]
    run.config_file.write_text("save_checkpoint_path: checkpoints\n")
    assert run.checkpoint_folders() == [tmp_path / "checkpoints", tmp_path]


def test_a_checkpoint_belongs_to_the_run_above_its_folder_or_to_its_folder() -> None:
    runs = runs_of(Path("run/checkpoints/warpctc-1-1.ckpt"))
    assert [run.path for run in runs] == [Path("run"), Path("run/checkpoints")]
