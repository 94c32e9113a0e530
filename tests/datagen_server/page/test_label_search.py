"""Samples by their text: all that contain it, in order, also over damage and when time is short."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from datagen_server.page.label_search import LabelSearch
from datagen_server.page.query_string import SamplesQuery
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.sources.rendered_source import RenderedSource
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.spec import DatasetSpec
from tests.datagen_server.shards.building import build, damage_record, plan_of, with_foreign_fingerprint

NUM = 600
TEXTS = [CaptchaRenderer(DatasetSpec()).text("train", index) for index in range(NUM)]


@pytest.fixture(scope="module")
def search() -> LabelSearch:
    source = RenderedSource(DatasetSpec(), {"train": NUM}, num_workers=1)
    source.close()  # A search needs no picture.
    return LabelSearch(source)


def query_of(search: LabelSearch, **values: str) -> SamplesQuery:
    return SamplesQuery.parse(MultiDict(values), search._source.dataset)


@given(label=st.text("0123456789", min_size=1, max_size=2), first=st.integers(0, NUM - 1), count=st.integers(1, 48))
def test_the_samples_with_a_text_are_found_in_order(search: LabelSearch, label: str, first: int, count: int) -> None:
    found = search.find(query_of(search, label=label, first=str(first), count=str(count)))
    expected = [index for index in range(first, NUM) if label in TEXTS[index]]
    assert found.indices == expected[:count]
    assert found.stop == (expected[count - 1] + 1 if len(expected) >= count else NUM)


def test_a_search_out_of_time_says_where_to_go_on(search: LabelSearch) -> None:
    hasty = LabelSearch(search._source, time_s=0.0)
    assert hasty.find(query_of(hasty, label="9", first="7")).stop == 7


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_damaged_record_ends_no_search(is_refused: bool, tmp_path: Path) -> None:
    plan = plan_of(DatasetSpec(), {"train": 40}, shard_size=20)
    manifest = (with_foreign_fingerprint if is_refused else build)(tmp_path, plan)
    damage_record(tmp_path, manifest.plan, plan.shards[0], 1)
    source = ShardSource(tmp_path)
    search = LabelSearch(source)
    found = search.find(query_of(search, label="1"))
    source.close()
    assert found.indices == [i for i in range(40) if "1" in TEXTS[i] and not (is_refused and i == 1)][:24]
