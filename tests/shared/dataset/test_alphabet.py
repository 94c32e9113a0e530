"""An alphabet is distinct, visible code points in normal form NFC."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.alphabet import NAMED_ALPHABETS, check_alphabet, named_alphabet
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError


@given(st.lists(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1, max_size=50, unique=True))
def test_any_visible_characters_are_an_alphabet_exactly_in_normal_form(characters: list[str]) -> None:
    alphabet = "".join(characters)
    if all(unicodedata.normalize("NFC", character) == character for character in characters):
        assert DatasetSpec(alphabet=alphabet).num_classes == len(alphabet) + 1
    else:
        with pytest.raises(UsageError, match="NFC"):
            DatasetSpec(alphabet=alphabet)


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [
        (5, "alphabet must be a text, got 5; quote it where YAML reads a number"),
        ("", r"alphabet must be 1\.\.8192 distinct characters, got 0"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 10_000))), r"1\.\.8192 distinct characters, got 10000"),
        ("abca", r"got 'a' \(U\+0061\) twice"),
        ("a\nb", r"got U\+000A, a control character"),
        ("a\u200bb", r"got U\+200B, an invisible format character"),
        ("a\u3000", r"got U\+3000, a space"),
        ("a b", r"got ' ' \(U\+0020\), a space"),
        ("\ud800", r"got U\+D800, a surrogate"),
        ("x\u030c", r"got the combining mark U\+030C after 'x' \(U\+0078\)"),
        ("\u0301a", r"got the combining mark U\+0301"),
        ("\u212b", r"in Unicode normal form NFC, got .* \(U\+212B\) for U\+00C5"),
    ],
)
def test_what_labels_cannot_be_made_of_is_refused_by_name(alphabet: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_alphabet(alphabet, space_allowed=False)


def test_a_name_stands_for_its_characters_and_text_comes_in_normal_form() -> None:
    assert named_alphabet("hex") == "0123456789abcdef"
    assert named_alphabet("e\u0301") == "é"
    for characters in NAMED_ALPHABETS.values():
        check_alphabet(characters, space_allowed=False)


def test_only_imported_labels_may_hold_spaces() -> None:
    assert DatasetSpec(alphabet="a b", styles=()).blank == 3
