"""The recipes of CONTRIBUTING.md: each place they name exists, and what they promise to be the only places are."""

import re
from pathlib import Path

import numpy as np
import pytest

from datagen_server.cli import build_parser
from datagen_server.shards.record import is_intact, layout_of
from datagen_server.sources.rendered_source import RenderedSource
from shared.dataset.spec import DatasetSpec
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode
from shared.protocol.messages import CODEC_OF, CODECS

ROOT = Path(__file__).parent.parent
RECIPES = dict(
    re.findall(
        r"^\*\*(.+?)\.\*\* (.+?)(?=\n\n|\Z)",
        (ROOT / "CONTRIBUTING.md").read_text().partition("## How to add")[2].partition("\n## ")[0],
        re.MULTILINE | re.DOTALL,
    )
)


def steps_of(recipe: str) -> list[str]:
    """The numbered steps, each on one line."""
    return [" ".join(step.split()) for step in re.split(r"(?:^|\s)\d\. ", RECIPES[recipe]) if step]


def is_place(quoted: str) -> bool:
    return "/" in quoted and " " not in quoted


def names_and_places() -> list[tuple[str, str, str]]:
    """(recipe, name or empty, place): every place, and every quoted name with the place that follows or precedes it."""
    found = []
    for recipe in RECIPES:
        for step in steps_of(recipe):
            quoted = re.findall(r"`([^`]+)`", step)
            places = [word for word in quoted if is_place(word)]
            names = [word for word in quoted if re.fullmatch(r"[A-Za-z_]\w*(\.[a-z_]\w*)?", word)]
            found += [(recipe, "", place) for place in places]
            found += [(recipe, name, places[0]) for name in names if places]
    return found


def test_there_is_a_recipe_for_each_of_these() -> None:
    expected = {"A source of samples", "A codec", "A preset", "A metric", "A figure for operators"}
    assert expected <= RECIPES.keys()
    assert all(len(steps_of(recipe)) >= 2 for recipe in RECIPES)


@pytest.mark.parametrize(("recipe", "name", "place"), names_and_places())
def test_every_file_of_a_recipe_exists_and_holds_the_names_it_gives(recipe: str, name: str, place: str) -> None:
    path = ROOT / place
    assert path.exists(), f"{recipe}: there is no {place}"
    if path.is_file():
        for part in name.split("."):
            assert re.search(rf"\b{part}\b", path.read_text()), f"{recipe}: {place} has no {part}"


@pytest.mark.parametrize("codec", Codec)
def test_a_codec_works_everywhere_once_it_is_in_the_proto_and_in_the_table(codec: Codec) -> None:
    image = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    layout, payload = layout_of(DatasetSpec()), encode(image, codec)
    assert np.array_equal(decode([payload], codec, (16, 16, 3))[0], image)
    header = layout.header(1, 7, codec, bytes(4), payload)
    assert is_intact(1, 7, codec, memoryview(header), memoryview(payload))
    assert CODEC_OF[CODECS[codec]] is codec
    assert codec in RenderedSource.codecs
    arguments = ["materialize", "--out", "shards", "--codec", codec.value]
    assert build_parser().parse_args(arguments).codec == codec.value


def test_the_proto_and_the_table_have_the_same_codecs() -> None:
    assert set(CODECS.values()) == set(pb.Codec.values()) - {pb.CODEC_UNSPECIFIED}


def test_every_file_that_answers_a_question_is_there() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where is ...?")[2].partition("\n## ")[0]
    files = re.findall(r"^\| .+ \| `(.+)` \|$", table, re.MULTILINE)
    assert len(files) >= 40
    assert [file for file in files if not (ROOT / file).is_file()] == []
