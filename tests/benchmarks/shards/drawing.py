"""Pictures as files: for `bench_import`. A module of its own for workers, apart from those that only decode."""

from pathlib import Path

from PIL import Image

from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec

FORMATS = ("png", "jpg")


def draw_pictures(folder: Path, indices: range) -> None:
    """Captchas as LABEL_NUMBER.png and .jpg in turns."""
    renderer = CaptchaRenderer(DatasetSpec())
    for index in indices:
        image, text = renderer.render("train", index)
        Image.fromarray(image).save(folder / f"{text}_{index}.{FORMATS[index % 2]}")
