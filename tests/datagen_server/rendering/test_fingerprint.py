import re
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.glyphs import FONT_PATH
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec


def test_it_is_64_lower_case_hex_digits_and_always_the_same() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(DatasetSpec()))
    assert fingerprint(DatasetSpec()) == fingerprint(DatasetSpec())


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"width": 161}, {"height": 65}, {"alphabet": "0123456798"}, {"min_length": 2}, {"max_length": 5}],
    ids=str,
)
def test_every_field_of_the_spec_changes_it(change: dict[str, Any]) -> None:
    assert fingerprint(replace(DatasetSpec(), **change)) != fingerprint(DatasetSpec())


def test_every_version_and_the_machine_change_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    font = tmp_path / "font.ttf"
    font.write_bytes(Path(FONT_PATH).read_bytes() + b"\0")
    changes: list[tuple[str, object]] = [
        ("datagen_server.rendering.fingerprint.RENDERER_VERSION", 0),
        ("datagen_server.rendering.fingerprint.version", lambda name: "0" if name == "captcha" else version(name)),
        ("datagen_server.rendering.fingerprint.version", lambda name: "0" if name == "pillow" else version(name)),
        ("datagen_server.rendering.fingerprint.FONT_PATH", str(font)),
        ("PIL.features.version", lambda name: "2.0"),
        ("platform.machine", lambda: "pdp11"),
    ]
    seen = {fingerprint(DatasetSpec())}
    for target, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(target, value)
            seen.add(fingerprint(DatasetSpec()))
    assert len(seen) == 1 + len(changes)


def test_one_other_pixel_in_a_probe_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def render(self: CaptchaRenderer, split: str, index: int) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], str]:
        pixels, text = original(self, split, index)
        pixels[0, 0, 0] ^= split == "test" and index == 0
        return pixels, text

    original, before = CaptchaRenderer.render, fingerprint(DatasetSpec())
    monkeypatch.setattr(CaptchaRenderer, "render", render)
    assert fingerprint(DatasetSpec()) != before


def test_it_is_cheap() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        fingerprint(DatasetSpec())
        return time.perf_counter() - started

    assert min(seconds() for _ in range(10)) < 0.05
