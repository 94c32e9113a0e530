"""Of a trained network, ONNX and MINDIR files read ten thousand images exactly as the checkpoint does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from numpy.typing import NDArray

from shared.client import connect
from shared.dataset.rank_slice import Remainder
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.onnx.predictor import load_onnx
from shared.recogniser.predictor import Predictor
from shared.system.embedded_service import embedded_service
from trainer.export_formats import export_mindir, export_onnx

SAMPLES = 10_000


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("preset", ["fast", "crnn"])
def test_ten_thousand_images_are_read_alike_and_logits_differ_by_roundings_only(preset: str, tmp_path: Path) -> None:
    worst, different = {".onnx": 0.0, ".mindir": 0.0}, 0
    with embedded_service(counts={"train": 19_200, "test": SAMPLES}) as target:
        command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(tmp_path / "run"), "--json"]
        more = ["--steps", "300", "--preset", preset]
        done = subprocess.run([*command, *more], stdout=subprocess.PIPE, text=True, check=True)
        assert json.loads(done.stdout)["steps"] == 300
        newest = find_checkpoint(tmp_path / "run")
        checkpoint, exported = Predictor(newest, read_info(newest), "cpu"), _exported(tmp_path)
        with (
            connect(target) as client,
            client.stream("test", shuffle=False, global_batch_size=64, remainder=Remainder.PAD) as batches,
        ):
            for batch in batches:
                expected = checkpoint.logits(batch.images)
                texts = greedy_decode(expected, checkpoint.alphabet)
                for suffix, logits_of in exported.items():
                    logits = logits_of(batch.images)
                    worst[suffix] = max(worst[suffix], float(np.abs(logits - expected).max()))
                    found = greedy_decode(logits, checkpoint.alphabet)
                    different += sum(one != other for one, other in zip(texts, found, strict=True))
    print(f"\n{preset}, {SAMPLES:,} images: {different} read otherwise, logits differ by at most {worst}")
    assert different == 0
    assert max(worst.values()) <= 1e-4


def _exported(folder: Path) -> dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]]:
    """What computes logits, by suffix of the file exported from the run in `folder`."""
    onnx, mindir = folder / "network.onnx", folder / "network.mindir"
    export_onnx(folder / "run", onnx, "cpu")
    export_mindir(folder / "run", mindir, "cpu")
    graph = nn.GraphCell(ms.load(str(mindir)))
    return {".onnx": load_onnx(onnx).logits, ".mindir": lambda images: graph(ms.Tensor(images)).asnumpy()}
