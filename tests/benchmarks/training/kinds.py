"""Captchas of other kinds than ours, to train and test readers on: drawn here, by the captcha library, by svg-captcha.

    python -m tests.benchmarks.training.kinds KIND FILE.npz

The file holds `images` uint8 [n, height, width, 3], `labels` (n strings) and `num_train`: the first so many are for
training, the rest for the test. Fonts are Debian's fonts-dejavu, fonts-liberation and fonts-freefont-ttf; kind `svg`
needs node and npm. Note: the captcha library draws from a module of its own, replaced in this process.
"""

import argparse
import colorsys
import random
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from shutil import copy
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = tuple[NDArray[np.uint8], str]
_FONTS = Path("/usr/share/fonts/truetype")
_EASILY_READ = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_UPRIGHT = "dejavu/DejaVuSans-Bold.ttf", "liberation/LiberationSerif-Regular.ttf"
_WITH_CASE = "freefont/FreeSerifBoldItalic.ttf", "liberation/LiberationSerif-Italic.ttf"
"""Fonts in which characters differ more: the library stretches each to the height of its line. A small network that
is told the font reads 100% and 99.8% of about 540 single characters; of the upright ones 98.7% and 99.6%."""
_SVG_FOLDER = Path(__file__).parent / "svg_kind"


@dataclass(frozen=True)
class Kind:
    """How pictures of one kind are drawn from a seed, and how many."""

    pictures: Callable[[int], Iterator[Picture]]
    num_train: int
    num_test: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")
    options = parser.parse_args()
    write_kind(options.kind, options.file, options.seed)


def write_kind(name: str, file: Path, seed: int) -> None:
    """Draws all pictures of a kind and writes them as one file, replaced only when it is whole."""
    kind = KINDS[name]
    count, pictures = kind.num_train + kind.num_test, kind.pictures(seed)
    image, label = next(pictures)
    images, labels = np.empty((count, *image.shape), np.uint8), [label]
    images[0] = image
    for row, (image, label) in enumerate(islice(pictures, count - 1), start=1):
        images[row] = image
        labels.append(label)
    unfinished = file.with_name(f"unfinished-{file.name}")
    with unfinished.open("wb") as out:
        np.savez(out, images=images, labels=np.array(labels), num_train=kind.num_train)
    unfinished.replace(file)


def _library(characters: str, fonts: Sequence[str], seed: int) -> Iterator[Picture]:
    """The captcha library itself: 5 or 6 characters in several fonts, 192x64."""
    rng, module = random.Random(seed), import_module("captcha.image")
    # Its `secrets`; see the module.
    vars(module)["secrets"] = SimpleNamespace(
        randbelow=lambda n: int(rng.random() * n),
        randbits=lambda bits: int(rng.random() * 2**bits),
        choice=lambda values: values[int(rng.random() * len(values))],
    )
    painter = module.ImageCaptcha(192, 64, fonts=[str(_FONTS / font) for font in fonts])
    while True:
        text = _text(rng, characters, rng.choice((5, 6)))
        yield np.asarray(painter.generate_image(text).convert("RGB")), text


def _colours(seed: int) -> Iterator[Picture]:
    """Four characters, each of another colour, font, size and slant, black strokes over them, 100x36."""
    rng = random.Random(seed)
    files = ("liberation/LiberationSans-Bold.ttf", "freefont/FreeSerifBold.ttf", "dejavu/DejaVuSans.ttf")
    fonts = [ImageFont.truetype(_FONTS / file, size) for file in files for size in (22, 25, 28)]
    while True:
        image = Image.new("RGB", (100, 36), (rng.randrange(225, 256), rng.randrange(225, 256), rng.randrange(225, 256)))
        text, x = _text(rng, _EASILY_READ, 4), rng.randrange(2, 7)
        for character in text:
            mask = Image.new("L", (40, 40))
            ImageDraw.Draw(mask).text((20, 20), character, font=rng.choice(fonts), fill=255, anchor="mm")
            red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.6, 1), rng.uniform(0.4, 0.95))
            colour = int(255 * red), int(255 * green), int(255 * blue)
            turned = mask.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC)
            image.paste(colour, (x - 8, rng.randrange(-5, 2)), turned)
            x += rng.randrange(20, 25)
        _scribble(ImageDraw.Draw(image), rng, strokes=rng.randrange(2, 4), dots=12)
        yield np.asarray(image), text


def _hollow(seed: int) -> Iterator[Picture]:
    """Five hollow digits, black on white, strokes and dots over them, 80x25."""
    rng = random.Random(seed)
    fonts = [ImageFont.truetype(_FONTS / "liberation/LiberationSans-Bold.ttf", size) for size in (19, 21)]
    while True:
        image, text, x = Image.new("RGB", (80, 25), "white"), _text(rng, string.digits, 5), rng.randrange(2, 6)
        pen = ImageDraw.Draw(image)
        for character in text:
            place = x, rng.randrange(1, 5)
            pen.text(place, character, font=rng.choice(fonts), fill="white", stroke_width=1, stroke_fill="black")
            x += rng.randrange(12, 16)
        _scribble(pen, rng, strokes=rng.randrange(2, 5), dots=40)
        yield np.asarray(image), text


def _svg(seed: int) -> Iterator[Picture]:
    """svg-captcha: 4 to 6 characters, case kept, coloured grounds, lines over them, 150x50."""
    with tempfile.TemporaryDirectory() as folder:
        for file in ("package.json", "render.js"):
            copy(_SVG_FOLDER / file, folder)
        subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=folder, check=True, stdout=sys.stderr)
        count = KINDS["svg"].num_train + KINDS["svg"].num_test
        command = ["node", "render.js", str(count), str(seed)]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(count):
                text = child.stdout.read(child.stdout.read(1)[0]).decode()
                pixels = np.frombuffer(child.stdout.read(150 * 50 * 4), np.uint8)
                yield pixels.reshape(50, 150, 4)[..., :3].copy(), text


def _text(rng: random.Random, characters: str, length: int) -> str:
    return "".join(rng.choice(characters) for _ in range(length))


def _scribble(pen: ImageDraw.ImageDraw, rng: random.Random, strokes: int, dots: int) -> None:
    width, height = pen.im.size
    for _ in range(strokes):
        ends = [(rng.randrange(width), rng.randrange(height)) for _ in range(2)]
        pen.line(ends, fill="black")
    for _ in range(dots):
        pen.point((rng.randrange(width), rng.randrange(height)), fill="black")


KINDS = {
    "letters": Kind(lambda seed: _library(_EASILY_READ, _UPRIGHT, seed), 30_000, 2_000),
    "cased": Kind(lambda seed: _library(string.ascii_letters + string.digits, _WITH_CASE, seed), 60_000, 2_000),
    "colours": Kind(_colours, 4_500, 1_000),
    "svg": Kind(_svg, 15_000, 1_000),
    "hollow": Kind(_hollow, 13_000, 500),
}

if __name__ == "__main__":
    main()
