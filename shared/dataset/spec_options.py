"""The options of a command that say which data set is rendered, and the spec that they come to.

    --spec FILE.yaml     all of it
    --style FILE.yaml    in place of its styles
    --alphabet ...       in place of one of its values

Note: `--font` has two uses that do not meet. Styles that name no font draw with all the given ones; styles
that name theirs, as a printed spec does, find them among the given ones.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from shared.dataset.alphabet import NAMED_ALPHABETS, named_alphabet
from shared.dataset.fonts import FontFiles
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_file import read_spec_file, read_style_file
from shared.errors import UsageError

_VALUES = ("seed", "alphabet", "min_length", "max_length", "width", "height")
_OPTIONS = {"spec": "--spec", "style": "--style", "fonts": "--font"} | {
    name: f"--{name.replace('_', '-')}" for name in _VALUES
}


@dataclass(frozen=True)
class RenderSpec:
    """A spec, and the font files of this machine that it draws with: all of them, no others."""

    spec: DatasetSpec = field(default_factory=DatasetSpec)
    font_files: FontFiles = field(default_factory=FontFiles)

    @classmethod
    def of(cls, spec: DatasetSpec, font_files: FontFiles) -> Self:
        """Finds the spec's fonts among the files; raises `UsageError` as `FontFiles.find`."""
        return cls(spec, font_files.only(spec.fonts))


def add_spec_options(parser: "argparse._ActionsContainer") -> None:
    """The same for every command that renders."""
    group = parser.add_argument_group("the data set that is rendered", "default: digits, 1 to 4, 160x64, seed 0")
    group.add_argument("--spec", metavar="FILE.yaml", type=Path, help="all of it, as the command spec prints it")
    group.add_argument("--seed", metavar="N", type=_integer, help="0..2^64-1")
    names = ", ".join(NAMED_ALPHABETS)
    group.add_argument("--alphabet", metavar="CHARS|NAME", help=f"the characters of labels, or one of {names}")
    group.add_argument("--min-length", metavar="N", type=_integer, help="fewest characters in a label")
    group.add_argument("--max-length", metavar="N", type=_integer, help="most characters in a label, at most 32")
    group.add_argument("--width", metavar="N", type=_integer, help="pixels, 16..1024")
    group.add_argument("--height", metavar="N", type=_integer, help="pixels, 16..1024")
    group.add_argument("--font", dest="fonts", metavar="FILE", type=Path, nargs="+", action="extend", default=[],
                       help="TrueType or OpenType files to draw with")  # fmt: skip
    group.add_argument("--style", metavar="FILE.yaml", type=Path, help="how captchas are drawn: one style or several")


def add_font_option(parser: "argparse._ActionsContainer", purpose: str) -> None:
    """--font alone, of the commands that know their data set but not where its fonts are; purpose: for the help."""
    help_text = f"the fonts of the data set, {purpose}"
    parser.add_argument(
        "--font", dest="fonts", metavar="FILE", type=Path, nargs="+", action="extend", default=[], help=help_text
    )


def given_spec_options(options: argparse.Namespace) -> list[str]:
    """The options of `add_spec_options` that were given, as a person types them."""
    return [option for name, option in _OPTIONS.items() if getattr(options, name) not in (None, [])]


def check_no_spec_options(options: argparse.Namespace, source: str) -> None:
    """Raises `UsageError` when options other than --font describe a data set although `source`, an option, is one."""
    if given := [option for option in given_spec_options(options) if option != "--font"]:
        raise UsageError(f"{', '.join(given)}: the data set of {source} is described already; leave out one of them")


def spec_of(options: argparse.Namespace, defaults: Mapping[str, Any] = MappingProxyType({})) -> RenderSpec:
    """The spec that the options describe. Raises `UsageError` in one line for whatever cannot be.

    defaults: values of the spec where neither a file nor an option has one.
    """
    values, files = read_spec_file(options.spec) if options.spec else ({}, FontFiles())
    values = {**defaults, **values}
    for name in _VALUES:
        value = getattr(options, name)
        if value is not None:
            values[name] = named_alphabet(value) if name == "alphabet" else value
    if options.style:
        values["styles"], files = read_style_file(options.style)
    given = FontFiles.read(options.fonts)
    return _build(values, files | given, given)


def _build(values: dict[str, Any], files: FontFiles, given: FontFiles) -> RenderSpec:
    if given.files:
        styles = values.get("styles", [{}])
        fonts = [asdict(file.font) for file in given.files]
        if isinstance(styles, list):
            values["styles"] = [_with_default_fonts(style, fonts) for style in styles]
    render_spec = RenderSpec.of(DatasetSpec.from_mapping(values), files)
    for file in given.files:
        if file.font.sha256 not in {font.sha256 for font in render_spec.spec.fonts}:
            raise UsageError(f"--font {file.path} is a font of no style; leave it out, or name it in a style's fonts")
    return render_spec


def _with_default_fonts(style: Any, fonts: list[dict[str, str]]) -> Any:
    return {**style, "fonts": fonts} if isinstance(style, dict) and not style.get("fonts") else style


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text[:40]!r}") from error
