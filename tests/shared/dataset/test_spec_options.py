"""Options come to a spec: a file, then a style file, then single values, and the fonts that all of it names."""

import argparse
import shutil
from pathlib import Path

import pytest

from shared.dataset.fonts import FontFiles
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_file import dump_spec
from shared.dataset.spec_options import RenderSpec, add_spec_options, given_spec_options, spec_of
from shared.dataset.style import Style
from shared.errors import UsageError


def parse(*argv: str | Path) -> RenderSpec:
    parser = argparse.ArgumentParser()
    add_spec_options(parser)
    options = parser.parse_args([str(argument) for argument in argv])
    assert set(given_spec_options(options)) == {argument for argument in map(str, argv) if argument.startswith("--")}
    return spec_of(options)


@pytest.fixture
def fonts(tmp_path: Path) -> tuple[Path, Path]:
    """Two files; whether they are fonts shows later."""
    (tmp_path / "A.ttf").write_bytes(b"a")
    (tmp_path / "B.ttf").write_bytes(b"b")
    return tmp_path / "A.ttf", tmp_path / "B.ttf"


def test_nothing_said_is_the_default() -> None:
    assert parse() == RenderSpec()


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("alphabet: hex\nwidth: 200\nmax_length: 6\n")
    spec = parse("--spec", file, "--width", "240", "--alphabet", "upper", "--seed", "7").spec
    expected = DatasetSpec(seed=7, width=240, max_length=6, alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert spec == expected


def test_a_style_file_holds_one_style_or_several(tmp_path: Path) -> None:
    file = tmp_path / "style.yaml"
    file.write_text("noise_dots: 60")
    assert parse("--style", file).spec.styles == (Style(noise_dots=60),)
    file.write_text("- noise_dots: 60\n- weight: 3\n")
    assert parse("--style", file).spec.styles == (Style(noise_dots=60), Style(weight=3))


def test_given_fonts_are_for_the_styles_that_name_none(fonts: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = (file.font for file in FontFiles.read(fonts).files)
    assert parse("--font", *fonts).spec.styles == (Style(fonts=(one, other)),)
    file = tmp_path / "style.yaml"
    file.write_text("- fonts: [A.ttf]\n- noise_dots: 1\n")
    render_spec = parse("--style", file, "--font", fonts[1])
    assert render_spec.spec.styles == (Style(fonts=(one,)), Style(fonts=(other,), noise_dots=1))
    assert {file.path for file in render_spec.font_files.files} == set(fonts)


def test_a_printed_spec_finds_its_fonts_beside_it_or_among_the_given(fonts: tuple[Path, Path], tmp_path: Path) -> None:
    spec = parse("--font", fonts[0]).spec
    beside, elsewhere = tmp_path / "spec.yaml", tmp_path / "folder" / "spec.yaml"
    elsewhere.parent.mkdir()
    beside.write_text(dump_spec(spec))
    shutil.copy(beside, elsewhere)
    assert parse("--spec", beside).spec == spec
    assert parse("--spec", elsewhere, "--font", fonts[0]).spec == spec
    with pytest.raises(UsageError, match=r"font A\.ttf of the data set \(SHA-256 .*\) is missing; give its file"):
        parse("--spec", elsewhere)
    (elsewhere.parent / "A.ttf").write_bytes(b"other bytes")
    with pytest.raises(UsageError, match=r"font A\.ttf of the data set has SHA-256 .*, but .* has other bytes"):
        parse("--spec", elsewhere)


def test_a_font_for_nothing_is_refused(fonts: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "style.yaml"
    file.write_text("fonts: [A.ttf]")
    with pytest.raises(UsageError, match=r"--font .*B\.ttf is a font of no style"):
        parse("--style", file, "--font", fonts[1])
