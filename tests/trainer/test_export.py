"""Exported files give the numbers of their checkpoint; what cannot be exported is one line, and leaves nothing."""

import json
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from numpy.typing import NDArray

from shared.errors import DataLoss, StreamingError, UsageError
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.hub import create_network
from shared.recogniser.onnx.predictor import load_onnx
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.support.toys import TOY_SPEC, ToySource
from trainer.export import main


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    source = ToySource()
    source.close()
    return untrained_checkpoint(tmp_path / "run", source.dataset)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("network.pt", "--out must end with .mindir or .onnx, got "),
        ("network", "--out must end with .mindir or .onnx, got "),
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


@pytest.mark.parametrize("name", ["network", "ein Netz für zwei", "网络"])
def test_both_formats_give_the_logits_of_the_checkpoint_wherever_the_file_lies(
    tmp_path: Path, checkpoint: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, *TOY_SPEC.image_shape), dtype=np.uint8)
    expected = create_network("warpctc", checkpoint=checkpoint)(ms.Tensor(images)).asnumpy()
    for suffix in (".onnx", ".mindir"):
        file = tmp_path / name / f"{name}{suffix}"
        file.parent.mkdir(exist_ok=True)
        assert main(["--ckpt", str(checkpoint), "--out", str(file), "--json"]) == 0
        written = json.loads(capsys.readouterr().out)
        assert written[suffix[1:]] == written["file"] == str(file)
        assert written["size_bytes"] == file.stat().st_size
        assert (written["input_shape"], written["output_shape"]) == ([None, 16, 24, 3], [6, None, 11])
        assert np.allclose(_logits(file, images, tmp_path), expected, rtol=0, atol=1e-4)
        assert [path.name for path in file.parent.glob(f".{name}*")] == []


def _logits(file: Path, images: NDArray[np.uint8], folder: Path) -> NDArray[np.float32]:
    if file.suffix == ".onnx":
        return load_onnx(file).logits(images)
    plain = folder / "plain.mindir"  # MindSpore itself loads no other names.
    plain.write_bytes(file.read_bytes())
    logits: NDArray[np.float32] = nn.GraphCell(ms.load(str(plain)))(ms.Tensor(images)).asnumpy()
    return logits


def test_metadata_says_what_reading_pictures_takes(tmp_path: Path, checkpoint: Path) -> None:
    main(["--ckpt", str(checkpoint), "--out", str(tmp_path / "network.onnx")])
    metadata, info = load_onnx(tmp_path / "network.onnx").metadata, read_info(checkpoint)
    assert (metadata.alphabet, metadata.width, metadata.height) == (TOY_SPEC.alphabet, 24, 16)
    assert (metadata.fingerprint, metadata.weights_digest) == (info.fingerprint, info.weights_digest)
    assert metadata.fit["mode"] == "pad"
