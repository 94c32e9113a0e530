"""What a font cannot draw is refused at the start, by the names of font and character."""

from pathlib import Path

import pytest

from datagen_server.rendering.font_check import check_drawable
from datagen_server.rendering.glyphs import FONT_PATH
from shared.dataset.fonts import FontFiles
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_options import RenderSpec
from shared.dataset.style import Style
from shared.errors import UsageError
from tests.support.fonts import chinese_characters, chinese_font


def render_spec(path: Path, alphabet: str, **parameters: object) -> RenderSpec:
    files = FontFiles.read([path])
    style = Style.from_mapping({"fonts": [vars(files.files[0].font)], **parameters})
    return RenderSpec.of(DatasetSpec(alphabet=alphabet, styles=(style,)), files)


def test_what_can_be_drawn_passes() -> None:
    check_drawable(RenderSpec())
    check_drawable(render_spec(Path(FONT_PATH), "0aÄ"))
    check_drawable(RenderSpec(DatasetSpec(alphabet="ÄÖÜ")))


def test_a_character_without_a_glyph_is_named_with_its_font() -> None:
    with pytest.raises(UsageError, match=r"font .*Mono\.ttf has no glyph for '中' \(U\+4E2D\) of the alphabet"):
        check_drawable(RenderSpec(DatasetSpec(alphabet="a中")))
    with pytest.raises(UsageError, match=r"has no glyph for '中'"):
        check_drawable(render_spec(Path(FONT_PATH), "a中"))


@pytest.mark.parametrize("data", [b"", b"no font", b"\0\1\0\0" + bytes(200)])
def test_what_is_no_font_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "A.ttf"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"font .*A\.ttf is no TrueType or OpenType font"):
        check_drawable(render_spec(path, "01"))


def test_a_cut_off_font_is_refused_by_name(tmp_path: Path) -> None:
    path, whole = tmp_path / "A.ttf", Path(FONT_PATH).read_bytes()
    for size in (100, 1000, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(UsageError, match=r"font .*A\.ttf"):
            check_drawable(render_spec(path, "01"))


def test_imported_pictures_cannot_be_rendered() -> None:
    with pytest.raises(UsageError, match="were imported; they cannot be rendered"):
        check_drawable(RenderSpec(DatasetSpec(styles=())))


def test_a_chinese_font_draws_3500_characters() -> None:
    check_drawable(render_spec(chinese_font(), chinese_characters(3500)))
