"""Labels as people write them: taken as they are, made into others, or refused with a reason."""

from collections import Counter
from pathlib import Path

import pytest

from datagen_server.importing.labels import LabelError, LabelRules
from tests.datagen_server.importing.sources.building import write_lmdb
from tests.datagen_server.importing.sources.reading import GOOD, outcome


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (b"", "empty_label"),
        (b"abc\r", "good"),
        (b" ab", "space_at_end_of_label"),
        (b"ab ", "space_at_end_of_label"),
        (b"a b", "good"),
        (b"ab\x00", "control_character_in_label"),
        (b"x" * 32, "good"),
        (b"x" * 40, "label_too_long"),
        (b"x" * 5000, "label_too_long"),
        ("für".encode(), "good"),
        ("验证码".encode("gbk"), "good"),
        (b"\xff\xff\xff", "label_not_text"),
        ("a\u200bb".encode(), "character_outside_alphabet"),
        ("x\u030c".encode(), "character_outside_alphabet"),
    ],
)
def test_labels_in_an_lmdb(tmp_path: Path, label: bytes, reason: str) -> None:
    path = write_lmdb(tmp_path / "ocr", [("ab", GOOD), ("cd", GOOD)], {b"label-000000002": label})
    assert outcome(path) == dict(Counter(["good", reason]))


def test_labels_are_composed_folded_and_mapped() -> None:
    assert LabelRules().apply("u\u0308") == "ü"
    assert LabelRules(case="lower").apply("AbC") == "abc"
    assert LabelRules(case="upper", mapping={"0": "O"}).apply("a0\r\n") == "AO"
    assert LabelRules(strip=True).apply(" a b ") == "a b"
    with pytest.raises(LabelError, match=r"its label holds 'c' \(U\+0063\)"):
        LabelRules(alphabet="ab").apply("abc")
