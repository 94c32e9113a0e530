"""Of a trained network, the ONNX file reads ten thousand images exactly as the checkpoint does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.client import connect
from shared.dataset.rank_slice import Remainder
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.onnx.predictor import load_onnx
from shared.recogniser.predictor import Predictor
from shared.system.embedded_service import embedded_service
from trainer.export_formats import export_onnx

SAMPLES = 10_000


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_images_are_read_alike_and_logits_differ_by_roundings_only(tmp_path: Path) -> None:
    out, worst, different = tmp_path / "network.onnx", 0.0, 0
    with embedded_service(counts={"train": 19_200, "test": SAMPLES}) as target:
        command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(tmp_path / "run"), "--json"]
        done = subprocess.run([*command, "--steps", "300"], stdout=subprocess.PIPE, text=True, check=True)
        assert json.loads(done.stdout)["steps"] == 300
        newest = find_checkpoint(tmp_path / "run")
        export_onnx(tmp_path / "run", out, "cpu")
        checkpoint, exported = Predictor(newest, read_info(newest), "cpu"), load_onnx(out)
        with (
            connect(target) as client,
            client.stream("test", shuffle=False, global_batch_size=64, remainder=Remainder.PAD) as batches,
        ):
            for batch in batches:
                both = checkpoint.logits(batch.images), exported.logits(batch.images)
                worst = max(worst, float(np.abs(both[0] - both[1]).max()))
                texts = [greedy_decode(logits, checkpoint.alphabet) for logits in both]
                different += sum(one != other for one, other in zip(*texts, strict=True))
    print(f"\n{SAMPLES:,} images: {different} read otherwise, logits differ by {worst:.2g} at most")
    assert different == 0
    assert worst <= 1e-4
