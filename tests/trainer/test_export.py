"""What cannot be exported is said in one line, and nothing is left behind."""

from pathlib import Path

import pytest

from shared.errors import DataLoss, StreamingError, UsageError
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.toys import ToySource
from trainer.export import main


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    source = ToySource()
    source.close()
    return untrained_checkpoint(tmp_path / "run", source.dataset)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("network.onnx", "--out must end with .mindir, got "),
        ("network", "--out must end with .mindir, got "),
        ("nowhere/network.mindir", "make it first"),
        ("folder.mindir", "is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, checkpoint: Path, out: str, message: str) -> None:
    (tmp_path / "folder.mindir").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=message) as caught:
        main(["--ckpt", str(checkpoint), "--out", str(tmp_path / out)])
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_or_damaged_checkpoint_is_named(tmp_path: Path, checkpoint: Path) -> None:
    out = tmp_path / "network.mindir"
    with pytest.raises(UsageError, match="does not exist"):
        main(["--ckpt", str(tmp_path / "none"), "--out", str(out)])
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    with pytest.raises(DataLoss, match="is damaged"):
        main(["--ckpt", str(checkpoint), "--out", str(out)])
    assert not out.exists()


def test_another_device_is_refused_here(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(StreamingError, match="--device ascend is not available here"):
        main(["--ckpt", str(checkpoint), "--out", str(tmp_path / "network.mindir"), "--device", "ascend"])
