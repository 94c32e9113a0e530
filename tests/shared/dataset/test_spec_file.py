"""Specs as files: what is printed is read again, and whatever is no spec is refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given

from shared.dataset.alphabet import NAMED_ALPHABETS
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_file import dump_spec, read_spec_file
from shared.dataset.style import Style
from shared.errors import UsageError
from tests.datagen_server.rendering.styles import library_styles


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "spec.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@given(library_styles())
def test_what_is_printed_is_read_again(tmp_path_factory: pytest.TempPathFactory, style: Style) -> None:
    spec = DatasetSpec(seed=3, alphabet="aé中\"'#:", styles=(style, Style()))
    path = write(tmp_path_factory.mktemp("spec"), dump_spec(spec))
    assert DatasetSpec.from_mapping(read_spec_file(path)[0]) == spec


@pytest.mark.parametrize("alphabet", [*NAMED_ALPHABETS.values(), "hex", "lower", "10", "yes", "1e5", "~", "[]{}"])
def test_an_alphabet_that_reads_like_something_else_is_read_again(tmp_path: Path, alphabet: str) -> None:
    spec = DatasetSpec(alphabet=alphabet)
    assert DatasetSpec.from_mapping(read_spec_file(write(tmp_path, dump_spec(spec)))[0]) == spec


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "must hold a mapping such as 'alphabet: digits', got None"),
    ("digits", "must hold a mapping .* got 'digits'"),
    ("- width: 5", "must hold a mapping"),
    ("width: [", "line 1: .*expected"),
    ("width: 100\nwidth: 200", "line 2: the key 'width' comes twice"),
    ("styles:\n- noise_dots: 1\n  noise_dots: 2", "line 3: the key 'noise_dots' comes twice"),
    ("styles: &a [{}]\nfit: *a", "line 1: anchors and aliases are not taken"),
    ("width: !!python/object:os.system 5", "line 1: could not determine a constructor"),
    (b"alphabet: \xff", "must be text in UTF-8, got byte 0xff at 10"),
    (b"alphabet: \x01", "is not YAML"),
    ("? [1, 2]\n: 3", "is not YAML|unhashable|no key"),
    ("x" * (1 << 20) + "xx", "must be at most 1 MiB"),
    ("[" * 5000, "line 1|is not YAML"),
    ("widht: 100", "the description of a data set has no key 'widht'; did you mean width?"),
    ("100: 5", "the description of a data set has no key 100"),
    ("colour: red", "has no key 'colour'; it has seed, width"),
    ("width: wide", "width must be an integer in 16..1024, got 'wide'"),
    ("width: 100.0", "width must be an integer in 16..1024, got 100.0"),
    ("width: null", "width must be an integer in 16..1024, got None"),
    ("height: 5000", "height must be an integer in 16..1024, got 5000"),
    ("seed: -1", r"seed must be an integer in 0\.\."),
    ("seed: 2026-11-25", r"seed must be an integer in 0\.\."),
    ("min_length: 5", "min_length must be an integer in 1..4, got 5"),
    ("max_length: 33", "max_length must be an integer in 1..32, got 33"),
    ("alphabet: 1234567", "alphabet must be a text, got .*; quote it"),
    ("alphabet: [1, 2]", "alphabet must be a list of single characters, got 1"),
    ("alphabet: [ab]", "alphabet must be a list of single characters, got 'ab'"),
    ("alphabet: {a: b}", "alphabet must be a text, got {'a': 'b'}"),
    ("alphabet: aba", "alphabet must be distinct characters"),
    ("alphabet: " + "".join(map(chr, range(0x4E00, 0x4E00 + 10_000))), "got 10000"),
    ("styles: 5", "styles must be a list of at most 64 styles, got 5"),
    ("styles: [5]", "a style must be a mapping of its parameters, got 5"),
    ("styles: [{noise_dot: 5}]", "a style has no key 'noise_dot'; did you mean noise_dots?"),
    ("styles: [{word_space_probability: -1}]", "style word_space_probability must be a number in 0..1, got -1"),
    ("styles: [{word_space_probability: .inf}]", "style word_space_probability must be a number in 0..1, got inf"),
    ("styles: [{fonts: A.ttf}]", "style fonts must be a list of at most 64 fonts, got 'A.ttf'"),
    ("styles: [{fonts: [missing.ttf]}]", "font .*missing.ttf cannot be read: No such file"),
    ("styles: [{fonts: [.]}]", "must be a file"),
    ("styles: [{fonts: [{name: A.ttf}]}]", "a font must have a name and a sha256, got no sha256"),
    ("styles: [{fonts: [5]}]", "a font must be a mapping of name and sha256, got 5"),
    ("fit: {mode: pad}", "fit is for imported pictures, whose spec has no styles"),
    ("styles: []\nfit: {mode: squeeze}", "fit mode must be one of pad, stretch, crop, got 'squeeze'"),
    ("styles: []\nfit: 5", "fit must be a mapping, got 5"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[str(text)[:40] for text, _ in REFUSED])
def test_what_is_no_spec_is_refused_in_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        DatasetSpec.from_mapping(read_spec_file(write(tmp_path, text))[0])
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
