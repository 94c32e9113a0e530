"""A picture while it is drawn: glyph by glyph, compiled where Numba is installed, else with Pillow.

`CompiledPicture` is imported when it is first asked for: Numba takes time and memory, and need not be installed.
"""

from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

if TYPE_CHECKING:
    from datagen_server.rendering.pictures.compiled import CompiledPicture
else:
    __getattr__ = lazy_names(__name__, {"CompiledPicture": "datagen_server.rendering.pictures.compiled"})

__all__ = ["CompiledPicture"]
