"""Opens a user's own image file in the form the network takes, or says in one line why that is impossible.

Note: a file is judged by its header before a pixel is decoded, so a small file that claims to be enormous
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
class InputImage:
    """An image, ready for the network."""

    file: Path
    pixels: NDArray[np.uint8]
    "[height, width, 3], RGB."
    original_size: tuple[int, int]
    "Width and height as stored in the file."

    @property
    def is_resized(self) -> bool:
        """Whether it had another size."""
        return self.original_size != (self.pixels.shape[1], self.pixels.shape[0])


def open_image(file: Path, width: int, height: int) -> InputImage:
    """Raises `UsageError`, one line that begins with the file's name, for a file that cannot be used."""
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
        raise UsageError(f"{printable(file)} {error}") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{printable(file)} {_TOO_LARGE}") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"{printable(file)} is not a PNG or JPEG image") from error
    except OSError as error:
        raise UsageError(f"{printable(file)} cannot be read: {error.strerror or _one_line(error)}") from error
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"{printable(file)} is damaged: {_one_line(error)}") from error


def printable(file: Path) -> str:
    """The name as it can be printed, whatever bytes it is made of."""
    name = str(file)
    return name if name.isprintable() else ascii(name)


_TOO_LARGE = f"has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first"


def _decoded(file: Path, opened: Image.Image, width: int, height: int) -> InputImage:
    if opened.width * opened.height > MAX_PIXELS:
        raise UsageError(_TOO_LARGE)
    original_size = opened.size
    opened.draft("RGB", (width * 2, height * 2))  # Large JPEG images are decoded smaller, which is much quicker.
    upright = ImageOps.exif_transpose(_eight_bits(opened))
    has_alpha = "A" in upright.getbands() or "transparency" in upright.info
    resized = upright.convert("RGBA" if has_alpha else "RGB")
    if resized.size != (width, height):
        resized = resized.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    if has_alpha:
        resized = Image.alpha_composite(Image.new("RGBA", resized.size, _WHITE), resized)
    return InputImage(file, np.asarray(resized.convert("RGB")), original_size)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts 16 bit grey at 255 where it should scale it."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
