"""Whether a spec can be drawn with its fonts: asked once, when a command starts, so that no picture shows a blank box.

Fonts answer a character that they have not with a box of their own, `.notdef`. Whether they have it stands in their
character map, which fontTools reads (fonttools.readthedocs.io, TTFont.getBestCmap).
"""

import string
from collections.abc import Set
from pathlib import Path

from fontTools.ttLib import TTFont

from datagen_server.rendering.glyphs import FONT_PATH, open_font
from shared.dataset.alphabet import name_of
from shared.dataset.spec_options import RenderSpec
from shared.errors import UsageError

_SIZE = 40
_SPACE = " "
_IN_OWN_FONT = frozenset(string.digits + string.ascii_letters + string.punctuation)


def check_drawable(render_spec: RenderSpec) -> None:
    """Raises `UsageError` that names font and character when a style's font cannot draw the alphabet."""
    spec = render_spec.spec
    if spec.is_imported:
        raise UsageError("the pictures of this data set were imported; they cannot be rendered")
    spaced = {font for style in spec.styles if style.word_space_probability < 1 for font in style.fonts}
    for file in render_spec.font_files.files:
        _check_font(file.path, spec.alphabet + _SPACE * (file.font in spaced))
    if not all(style.fonts for style in spec.styles) and not _IN_OWN_FONT.issuperset(spec.alphabet):
        _check_font(Path(FONT_PATH), spec.alphabet)


def _check_font(path: Path, characters: str) -> None:
    font = open_font(str(path), _SIZE)
    known = _character_map(path)
    for character in characters:
        if ord(character) not in known:
            use = ", which stands between characters" if character == _SPACE else " of the alphabet"
            raise UsageError(f"font {path} has no glyph for {name_of(character)}{use}; give another font or alphabet")
        if character != _SPACE and font.getmask(character).getbbox() is None:
            raise UsageError(f"font {path} draws nothing for {name_of(character)}; give another font or alphabet")


def _character_map(path: Path) -> Set[int]:
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except Exception as error:  # What fontTools raises for a spoilt table is whatever reading it came to.
        raise UsageError(f"font {path} has no character map that can be read: {error!r}") from error
