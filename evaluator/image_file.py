"""A person's own picture file as the network wants it, or one line that says why not.

What surprises: a file is judged by its header before a pixel is decoded, so a small file that claims to be enormous
costs nothing.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import UsageError

MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 64 * 2**20
_FORMATS = ("PNG", "JPEG")
_WHITE = (255, 255, 255, 255)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, ready to be read."""

    file: Path
    image: NDArray[np.uint8]
    "[height, width, 3], RGB."
    was: tuple[int, int]
    "Width and height as stored in the file."

    @property
    def is_resized(self) -> bool:
        """Whether it had another size."""
        return self.was != (self.image.shape[1], self.image.shape[0])


def open_picture(file: Path, width: int, height: int) -> Picture:
    """Raises `UsageError`, one line that begins with the file's name, for whatever cannot be read."""
    try:
        if not file.is_file():
            raise UsageError("is not a file" if file.exists() else "does not exist")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"is larger than {MAX_FILE_BYTES // 2**20} MiB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about strange files: what matters is whether pixels come out.
            with Image.open(file, formats=_FORMATS) as opened:
                return _decoded(file, opened, width, height)
    except UsageError as error:
        raise UsageError(f"{shown(file)} {error}") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{shown(file)} {_TOO_LARGE}") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"{shown(file)} is not a PNG or JPEG picture") from error
    except OSError as error:
        raise UsageError(f"{shown(file)} cannot be read: {error.strerror or _one_line(error)}") from error
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"{shown(file)} is damaged: {_one_line(error)}") from error


def shown(file: Path) -> str:
    """The name as it can be printed, whatever bytes it is made of."""
    name = str(file)
    return name if name.isprintable() else ascii(name)


_TOO_LARGE = f"has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first"


def _decoded(file: Path, opened: Image.Image, width: int, height: int) -> Picture:
    if opened.width * opened.height > MAX_PIXELS:
        raise UsageError(_TOO_LARGE)
    was = opened.size
    opened.draft("RGB", (width * 2, height * 2))  # Large JPEG pictures are decoded smaller, which is much quicker.
    upright = ImageOps.exif_transpose(_eight_bits(opened))
    has_alpha = "A" in upright.getbands() or "transparency" in upright.info
    picture = upright.convert("RGBA" if has_alpha else "RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    if has_alpha:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return Picture(file, np.asarray(picture.convert("RGB")), was)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts 16 bit grey at 255 where it should scale it."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
