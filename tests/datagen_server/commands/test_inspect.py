import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen_server.cli import main
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec


def test_inspect_shows_what_the_function_says_here_and_from_a_service(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, text = CaptchaRenderer(DatasetSpec(seed=3)).render("test", 7)
    told = []
    for where in (["--datagen", target], ["--seed", "3"]):
        out = tmp_path / "7.png"
        assert main(["inspect", *where, "--split", "test", "--index", "7", "--out", str(out), "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
        with Image.open(out) as picture:
            assert np.array_equal(np.asarray(picture), image)
    assert told[0] == told[1]
    assert (told[0]["text"], told[0]["index"], told[0]["split"]) == (text, 7, "test")


def test_inspect_is_readable_without_json(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--datagen", target, "--split", "train", "--index", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["split", "train"]
    assert [line.split()[0] for line in lines] == ["split", "index", "text", "width", "height", "sha256", "fingerprint"]
