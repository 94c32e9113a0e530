"""The compiled way to draw is taken where it can be, and only there; it compiles once, whatever the style."""

import platform
import subprocess
import sys
import threading
from itertools import count
from typing import Any

import numba
import numpy as np
import pytest

from datagen_server.rendering import pictures as package
from datagen_server.rendering.pictures import compiled as compiled_module
from datagen_server.rendering.pictures import glyph_kernel, smooth_kernel
from datagen_server.rendering.pictures import picture as pictures
from datagen_server.rendering.pictures.compiled import CompiledPicture
from datagen_server.rendering.pictures.picture import quickest_picture
from datagen_server.rendering.pictures.pillow import PillowPicture
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import Style

COMPILED = "datagen_server.rendering.pictures.compiled"
GLYPH_KERNEL = "datagen_server.rendering.pictures.glyph_kernel"
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere everything is drawn with Pillow")

STYLES: dict[str, dict[str, Any]] = {
    "default": {},
    "upright": {"character_rotate": [0, 0]},
    "turned": {"character_rotate": [90, 90]},
    "upside down": {"character_rotate": [180, 180]},
    "turned and unwarped": {"character_rotate": [-90, -90], "character_warp_dx": [0, 0], "character_warp_dy": [0, 0]},
    "faint": {"fg_opacity_range": [1, 60]},
    "flattened": {"font_sizes": [4, 5, 120], "character_rotate": [60, 120], "character_warp_dy": [0, 0]},
    "without noise": {"noise_dots": 0, "noise_curves": 0},
    "a colour each on a gradient": {"character_colors": True, "background": "gradient", "bg_color_range": [0, 255]},
    "lines": {"noise_lines": 3, "noise_lines_width": 4},
    "strong": {"lookup_table": [0, *range(2, 512, 2)], "fg_color": [200, 10, 60, 128]},
}


@on_x86_64
@pytest.mark.parametrize("size", [(160, 64), (1000, 64), (16, 16), (17, 90)])
@pytest.mark.parametrize("values", STYLES.values(), ids=STYLES)
def test_compiled_and_pillows_pictures_are_equal(values: dict[str, Any], size: tuple[int, int]) -> None:
    style = Style.from_mapping(values)
    spec = DatasetSpec(width=size[0], height=size[1], alphabet="0127_|gJ.A", max_length=6, styles=(style,))
    compiled, pillow = CaptchaRenderer(spec, picture=CompiledPicture), CaptchaRenderer(spec, picture=PillowPicture)
    for index in range(12):
        assert np.array_equal(compiled.render("train", index)[0], pillow.render("train", index)[0]), index


@on_x86_64
def test_every_kernel_is_compiled_once() -> None:
    for values in STYLES.values():
        spec = DatasetSpec(max_length=6, styles=(Style.from_mapping(values),))
        renderer = CaptchaRenderer(spec, picture=CompiledPicture)
        for index in range(4):
            renderer.render("train", index)
    kernels: tuple[Any, ...] = (glyph_kernel.rotated, glyph_kernel.paste, glyph_kernel.narrowed, smooth_kernel.finished)
    for kernel in kernels:
        assert len(kernel.signatures) == 1, kernel


@on_x86_64
def test_the_compiled_picture_is_taken_where_numba_is_installed() -> None:
    assert quickest_picture() is CompiledPicture


@on_x86_64
def test_the_first_pictures_of_a_process_do_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_pictures", count(pictures._DRAWN_BEFORE_NUMBA - 2))
    monkeypatch.setattr(pictures, "_ways", [PillowPicture])
    assert [pictures.next_picture() for _ in range(2)] == [PillowPicture] * 2
    assert "load Numba" not in [thread.name for thread in threading.enumerate()]
    pictures.next_picture()
    for thread in threading.enumerate():
        if thread.name == "load Numba":
            thread.join()
    assert pictures.next_picture() is CompiledPicture


def test_a_short_job_never_loads_numba() -> None:
    lines = (
        "import sys",
        "from datagen_server.rendering.renderer import CaptchaRenderer",
        "from shared.dataset.spec import DatasetSpec",
        "CaptchaRenderer(DatasetSpec()).render('train', 0)",
        "assert 'numba' not in sys.modules",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


@pytest.fixture
def chosen_anew(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(pictures, "quickest_picture", quickest_picture.__wrapped__)
    monkeypatch.delitem(vars(package), "CompiledPicture", raising=False)  # It is asked for anew.
    return monkeypatch


def test_without_numba_pillow_draws(chosen_anew: pytest.MonkeyPatch) -> None:
    chosen_anew.setitem(sys.modules, COMPILED, None)
    assert pictures.quickest_picture() is PillowPicture


@on_x86_64
def test_elsewhere_pillow_draws(chosen_anew: pytest.MonkeyPatch) -> None:
    chosen_anew.setattr(platform, "machine", lambda: "aarch64")
    assert pictures.quickest_picture() is PillowPicture


@on_x86_64
def test_where_machine_code_cannot_be_kept_pillow_draws_and_a_warning_says_why(
    chosen_anew: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise RuntimeError("cannot cache function 'rotated': no locator available")

    chosen_anew.setattr(numba, "njit", nowhere)
    for name in (COMPILED, GLYPH_KERNEL):
        chosen_anew.delitem(sys.modules, name)
    assert pictures.quickest_picture() is PillowPicture
    assert "NUMBA_CACHE_DIR" in caplog.text


@on_x86_64
def test_kernels_that_draw_other_pixels_are_not_used(
    chosen_anew: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rotated = glyph_kernel.rotated
    chosen_anew.setattr(compiled_module, "rotated", lambda ink, colors, *rest: rotated(ink // 2, colors, *rest))
    assert pictures.quickest_picture() is PillowPicture
    assert "other pixels" in caplog.text
