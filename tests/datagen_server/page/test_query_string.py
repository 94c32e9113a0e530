"""Query strings: what is meant is taken, everything else gets one line that names the key."""

import re
import string
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from datagen_server.page.app import status_app
from datagen_server.page.query_string import MAX_PAGE_SIZE, SamplesQuery
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics
from shared.errors import InvalidRequest, NotFound
from tests.support.toys import ToySource

SOURCE = ToySource()
CLIENT: FlaskClient = status_app(SOURCE, ServiceMetrics(SOURCE), lambda: True).test_client()
PAGES = "/", "/samples", "/metrics", "/healthz"


def parse(**values: str) -> SamplesQuery:
    return SamplesQuery.parse(MultiDict(values), SOURCE.dataset)


def check_refused(path: str) -> str:
    """Asks for it; the one line that came with the status 400."""
    answer = CLIENT.get(path)
    line = answer.text
    assert answer.status_code == 400, (path[:200], line)
    assert answer.content_type == "text/plain; charset=utf-8"
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert len(line) < 250
    return line


@given(st.integers(0, 999), st.integers(1, MAX_PAGE_SIZE))
def test_what_is_within_bounds_is_taken_and_pages_join_up(first: int, count: int) -> None:
    query = parse(split="train", first=str(first), count=str(count))
    assert list(query.indices) == list(range(first, min(first + count, 1000)))
    if query.next is not None:
        after = parse(split="train", first=str(query.next), count=str(count))
        assert after.first == query.indices.stop
        assert after.previous == first
    else:
        assert query.indices.stop == 1000
    assert (query.previous is None) == (first == 0)


@pytest.mark.parametrize("key", ["first", "count"])
@given(text=st.one_of(st.text(max_size=60), st.integers().map(str), st.floats().map(str)))
def test_what_is_no_number_within_bounds_is_refused_by_name(key: str, text: str) -> None:
    name, high = {"first": ("asked_first", 10**15), "count": ("count", MAX_PAGE_SIZE)}[key]
    is_good = text != "" and set(text) <= set(string.digits) and len(text) <= 15
    if is_good and (key == "first" or int(text)) and int(text) <= high:
        assert getattr(parse(split="train", **{key: text}), name) == int(text)
    else:
        with pytest.raises(InvalidRequest, match=f"^{key} must be a number in"):
            parse(split="train", **{key: text})


@given(st.integers(1000, 10**15 - 1), st.integers(1, MAX_PAGE_SIZE))
def test_past_the_end_the_last_samples_are_shown_with_a_word(first: int, count: int) -> None:
    query = parse(split="train", first=str(first), count=str(count))
    assert (query.is_past_end, query.indices, query.next) == (True, range(1000 - count, 1000), None)
    assert query.previous == max(0, 1000 - 2 * count)


def test_the_form_leads_past_the_end_to_a_page_that_goes_on() -> None:
    page = CLIENT.get("/samples?split=test&first=999&label=").text
    assert "There is no index 999 in test: it ends at\n129." in page
    assert 'rel="prev"' in page


def test_random_samples_have_an_address_of_their_own() -> None:
    answers = [CLIENT.get("/samples?split=train&first=3&label=&random=1") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {302}
    places = {re.sub(r".*first=(\d+)&count=24$", r"\1", answer.headers["Location"]) for answer in answers}
    assert len(places) > 10
    assert all(0 <= int(place) < 1000 for place in places)


@given(st.text(max_size=12))
def test_a_label_that_no_sample_can_have_is_refused(text: str) -> None:
    spec = SOURCE.dataset.spec
    if len(text) > spec.max_length or not set(text) <= set(spec.alphabet):
        with pytest.raises(InvalidRequest, match=r"^label must be up to"):
            parse(label=text)


@given(st.text(max_size=60))
def test_a_split_that_is_not_there_is_refused(name: str) -> None:
    if name not in SOURCE.dataset.counts:
        with pytest.raises(NotFound, match=r"^split must be one of test, train"):
            parse(split=name)


@given(st.sampled_from(PAGES), st.dictionaries(st.text(min_size=1, max_size=30), st.text(max_size=30), min_size=1))
def test_unknown_keys_are_refused_on_every_page(page: str, query: dict[str, str]) -> None:
    if not query.keys() & {"split", "first", "count", "label", "random"}:
        assert check_refused(f"{page}?{urlencode(query)}").startswith("query may have ")


@given(st.text(max_size=200), st.sampled_from(["split", "first", "count", ""]))
def test_hostile_values_never_get_more_than_one_line(text: str, key: str) -> None:
    answer = CLIENT.get(f"/samples?{key}={quote(text, safe='')}")
    assert answer.status_code == 400 or text in ("test", "train") or text.isdecimal()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("query", ["a=1", "first=1&first=2", "=", "a", "%00", "%ff%fe", "first=1&x=" + "y" * 100_000])
def test_each_page_takes_its_own_keys_only_and_each_once(page: str, query: str) -> None:
    check_refused(f"{page}?{query}")


HOSTILE = [
    *("-1", "1e3", "0x10", " 1", "1 ", "+1", "1_0", "٣", "1.0", "NaN", "", "\0", "\r\n", "\x1b[31m"),
    *("9" * 16, "9" * 100_000, "1;drop", "<script>", "../../etc/passwd", "{{7*7}}", "%s%n", "\U0001d7d9", "\u202e1"),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_numbers_are_named_in_one_short_line(text: str) -> None:
    line = check_refused(f"/samples?split=train&first={quote(text)}")
    assert line.startswith("first must be a number in 0..999999999999999, got '")
    assert check_refused(f"/samples?split=train&count={quote(text)}").startswith("count must be a number in 1..48")
    assert check_refused(f"/samples?split={quote(text)}").startswith("split must be one of test, train, got ")


def test_a_repeated_key_is_named() -> None:
    assert check_refused("/samples?first=1&first=1") == "first must be given once, got it 2 times\n"


@pytest.mark.parametrize("path", ["/nope", "/samples/", "/static/../app.py", "/static/nope.css", "/%00", "/é"])
def test_an_unknown_path_is_404_in_one_line(path: str) -> None:
    answer = CLIENT.get(path)
    assert (answer.status_code, answer.text.count("\n")) == (404, 1)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_405_and_says_which_are_not(page: str, method: str) -> None:
    answer = CLIENT.open(page, method=method)
    assert (answer.status_code, answer.text.count("\n")) == (405, 1)
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", [*PAGES, "/nope", "/samples?first=x", "/static/style.css"])
def test_every_answer_carries_the_headers_that_keep_strangers_out(path: str) -> None:
    with CLIENT.get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
