"""A picture file as RGB pixels, or one line that says why not.

Note: a file is judged by its header before a pixel is decoded. A small file that claims to be enormous costs nothing.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from shared.errors import UsageError
from shared.images.plain import decode_plain

MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 64 * 2**20
Colour = tuple[int, int, int]
"Red, green, blue, 0..255."
WHITE: Colour = (255, 255, 255)

_END_OF_JPEG = b"\xff\xd9"
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error, OverflowError)
_HUGE = (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError)
_WHERE_ORIENTATION_IS = ("exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp")
# Two endings that no complete picture notices. They differ in every bit, so a picture that lacks a bit shows it.
_TWO_ENDINGS = b"\x55" * 64 + _END_OF_JPEG, b"\xaa" * 64 + _END_OF_JPEG


class PictureProblem(Enum):
    """Why a picture cannot be had; the values are stable names for reports."""

    UNREADABLE_FILE = "unreadable_file"
    NOT_A_PICTURE = "not_a_picture"
    DAMAGED = "damaged_picture"
    TOO_LARGE = "too_large"


class PictureError(UsageError):
    """A picture that cannot be had. The message is the rest of a sentence that begins with the file's name."""

    def __init__(self, problem: PictureProblem, text: str) -> None:
        super().__init__(text)
        self.problem = problem


def read_picture(file: Path, ground: Colour = WHITE) -> NDArray[np.uint8]:
    """`decode_picture` of what is in `file`."""
    try:
        if not file.is_file():
            text = "is not a file" if file.exists() else "does not exist"
            raise PictureError(PictureProblem.UNREADABLE_FILE, text)
        if file.stat().st_size > MAX_FILE_BYTES:
            raise too_many_bytes()
        data = file.read_bytes()
    except OSError as error:
        text = f"cannot be read: {error.strerror or one_line(error)}"
        raise PictureError(PictureProblem.UNREADABLE_FILE, text) from error
    return decode_picture(data, ground)


def decode_picture(data: bytes, ground: Colour = WHITE) -> NDArray[np.uint8]:
    """The pixels of a PNG, JPEG, WebP, BMP or GIF file: uint8 [height, width, 3], RGB, read-only.

    Transparent pixels are laid on `ground`, 16-bit grey is scaled to 8 bits, the
    rotation that EXIF asks for is done, a GIF gives its first frame. A JPEG that lacks nothing but its end marker is
    taken. Raises `PictureError` for everything else; no warning of Pillow's gets out.
    """
    with quiet_pillow():
        return decode_quietly(data, ground)


def decode_quietly(data: bytes, ground: Colour = WHITE) -> NDArray[np.uint8]:
    """`decode_picture` for a caller within `quiet_pillow`, which costs a tenth of decoding a small picture."""
    plain = decode_plain(data)
    if plain is not None:
        return plain
    return decode_with_pillow(data, ground)


def decode_with_pillow(data: bytes, ground: Colour = WHITE) -> NDArray[np.uint8]:
    """The ordinary way, which all files can take."""
    form = format_of(data)
    if form is None:
        text = "is not a PNG, JPEG, WebP, BMP or GIF picture" if data else "is empty"
        raise PictureError(PictureProblem.NOT_A_PICTURE, text)
    if len(data) > MAX_FILE_BYTES:
        raise too_many_bytes()
    try:
        return _pixels(data, form, ground)
    except PictureError:
        raise
    except _HUGE as error:
        raise _too_many_pixels() from error
    except _DAMAGED as error:
        whole = _without_end_marker(data, ground) if form == "JPEG" else None
        if whole is None:
            raise PictureError(PictureProblem.DAMAGED, f"is damaged: {_what_is_wrong(error)}") from error
        return whole


def format_of(data: bytes) -> str | None:
    """Pillow's name of the picture format that `data` begins as; None for any that is not decoded here."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return "BMP" if data.startswith(b"BM") else None


def colour_of(text: str) -> Colour:
    """Of "#rrggbb" or a CSS colour name; raises `UsageError`."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError as error:
        raise UsageError(f"a colour must look like #ffffff or be a name such as white, got {text!r}") from error
    return red, green, blue


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings of Pillow's about strange files: what matters is whether pixels come out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def one_line(error: Exception) -> str:
    """What the error says, or else is called, in at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _what_is_wrong(error: Exception) -> str:
    """For a picture, the same each time: Pillow's own words for a bad header hold an address in memory."""
    return "its header cannot be read" if isinstance(error, UnidentifiedImageError) else one_line(error)


def too_many_bytes() -> PictureError:
    """The error for a file of more than `MAX_FILE_BYTES`."""
    return PictureError(PictureProblem.TOO_LARGE, f"is larger than {MAX_FILE_BYTES // 2**20} MiB")


def _too_many_pixels() -> PictureError:
    text = f"has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first"
    return PictureError(PictureProblem.TOO_LARGE, text)


def _pixels(data: bytes, form: str, ground: Colour) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=(form,)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise _too_many_pixels()
        opened.load()
        if opened.mode == "RGB" and not opened.info:
            return np.asarray(opened)
        picture = _on_ground(_upright(_eight_bits(opened)), ground)
        return np.asarray(picture)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey at 255 where it should scale it."""
    if not image.mode.startswith("I"):
        return image
    scaled = Image.fromarray((np.asarray(image, np.int64) >> 8).clip(0, 255).astype(np.uint8))
    scaled.info = {key: value for key, value in image.info.items() if key in _WHERE_ORIENTATION_IS}
    return scaled


def _upright(image: Image.Image) -> Image.Image:
    if not any(name in image.info for name in _WHERE_ORIENTATION_IS):
        return image
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGED:  # Of the notes beside the picture, not of the picture.
        return image


def _on_ground(image: Image.Image, ground: Colour) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*ground, 255)), picture).convert("RGB")


def _without_end_marker(data: bytes, ground: Colour) -> NDArray[np.uint8] | None:
    """The picture if it lacks nothing but its end marker, else None.

    A decoder fills what is missing with what it makes of the bytes after it. So it is decoded with two different ends:
    if both give the same pixels, none was missing. Progressive pictures may lack a whole pass and show nothing of it.
    """
    if data.endswith(_END_OF_JPEG):
        return None
    cut = data.removesuffix(b"\xff")
    try:
        with Image.open(io.BytesIO(cut), formats=("JPEG",)) as opened:
            if "progressive" in opened.info:
                return None
        first, second = (_pixels(cut + ending, "JPEG", ground) for ending in _TWO_ENDINGS)
    except (PictureError, *_HUGE, *_DAMAGED):
        return None
    return first if np.array_equal(first, second) else None
