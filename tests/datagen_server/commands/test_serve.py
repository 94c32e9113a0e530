import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from datagen_server.rendering.renderer import CaptchaRenderer
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from tests.support.services import ServiceProcess


def test_serve_announces_itself_in_one_object(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datagen_server", "serve", "--listen", "127.0.0.1:0", "--json"]
    more = ["--workers", "1", "--count", "train=300", "--metrics-listen", "127.0.0.1:0", "--stop-with-stdin"]
    with open(tmp_path / "log", "w") as log:
        done = subprocess.run([*command, *more], input="", stdout=subprocess.PIPE, stderr=log, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["listening"].startswith("127.0.0.1:")
    assert told["metrics"].startswith("127.0.0.1:")
    assert (told["source"], told["counts"]) == ("rendered", {"test": 10_000, "train": 300})
    assert len(told["fingerprint"]) == 64


def test_a_service_over_shards_gives_what_the_function_says(shards: Path) -> None:
    renderer = CaptchaRenderer(DatasetSpec())
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--shards", str(shards), "--stop-with-stdin"
    with ServiceProcess(*serve) as service, connect(service.target) as client:
        assert dict(client.dataset.counts) == {"train": 100, "test": 30}
        for sample in client.samples("train", [99, 0, 31, 32]):
            image, text = renderer.render("train", sample.index)
            assert sample.text == text
            assert np.array_equal(sample.image, image)


def test_a_closed_standard_input_is_at_its_end() -> None:
    serve = "-m datagen_server serve --listen 127.0.0.1:0 --workers 1 --count train=10 test=5 --stop-with-stdin"
    done = subprocess.run(f"{sys.executable} {serve} <&-", shell=True, capture_output=True, text=True, timeout=60)  # noqa: S602
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert done.stdout.startswith("listening on 127.0.0.1:")
