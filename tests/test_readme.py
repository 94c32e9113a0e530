"""The two READMEs, English and Chinese, say the same: code, pictures, figures and outline. What they link to exists."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("README.md", "README.zh.md")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(name: str) -> str:
    """The text without its code blocks, where a comment looks like a heading."""
    return FENCE.sub("", text_of(name))


def headings_of(name: str) -> list[int]:
    """The level of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose_of(name), re.MULTILINE)]


def tables_of(name: str) -> list[list[str]]:
    """The rows of each table."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", prose_of(name), re.MULTILINE)
    return [block.splitlines() for block in blocks]


def numbers_of(row: str) -> Counter[str]:
    """How often each number is in a row; their order is the language's."""
    return Counter(NUMBER.findall(row))


def targets_of(name: str) -> list[tuple[bool, str]]:
    """(whether it is an image, target) of each link."""
    return [(mark == "!", target) for mark, target in LINK.findall(prose_of(name))]


def test_both_have_the_same_code_blocks() -> None:
    english, chinese = (FENCE.findall(text_of(name)) for name in NAMES)
    assert len(english) >= 10
    assert chinese == english


def test_both_have_the_same_commands_names_and_keys_in_their_text() -> None:
    english, chinese = (Counter(re.findall(r"`([^`\n]+)`", prose_of(name))) for name in NAMES)
    assert english.total() >= 50
    assert chinese == english


def test_both_have_the_same_pictures() -> None:
    english, chinese = ([target for image, target in targets_of(name) if image] for name in NAMES)
    assert len(english) >= 5
    assert chinese == english


def test_both_have_the_same_outline() -> None:
    english, chinese = (headings_of(name) for name in NAMES)
    assert len(english) >= 10
    assert chinese == english


def test_both_have_the_same_tables_with_the_same_numbers() -> None:
    english, chinese = (tables_of(name) for name in NAMES)
    assert len(english) >= 5
    assert [len(table) for table in chinese] == [len(table) for table in english]
    for here, there in zip(english, chinese, strict=True):
        for row, translated in zip(here, there, strict=True):
            assert numbers_of(translated) == numbers_of(row), f"{row}\n{translated}"


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_as_many_cells_as_the_next(name: str) -> None:
    for table in tables_of(name):
        for row, following in pairwise(table):
            assert row.count("|") == following.count("|"), f"{row}\n{following}"


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_to_a_file(name: str) -> None:
    targets = [target.partition("#")[0] for _, target in targets_of(name) if not re.match(r"[a-z]+:|#", target)]
    assert set(NAMES) - {name} <= set(targets), "there is no link to the other language"
    assert [target for target in targets if not (ROOT / target).exists()] == []
