"""The watch over pages sees what it must see."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import VIEWS, visited

pytestmark = pytest.mark.pages
PAGE = '<!doctype html><html lang="en"><title>a page</title><main><h1>A page</h1>{}</main></html>'


def visit(chromium: Browser, folder: Path, content: str) -> None:
    file = folder / "index.html"
    file.write_text(PAGE.format(content))
    with visited(chromium, file.as_uri(), VIEWS[2]):
        pass


def test_a_page_without_fault_passes(chromium: Browser, tmp_path: Path) -> None:
    visit(chromium, tmp_path, "<p>nothing to see")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("<script>console.error('oh')</script>", "console error: oh"),
        ("<script>nothing()</script>", "script error: nothing is not defined"),
        ("<img alt='' src='http://127.0.0.1:9/x.png'>", r"request: http://127\.0\.0\.1:9/x\.png"),
        ("<img alt='' src='other.png'>", "request: file://.*other.png"),
        ("<div style='width: 500px'>wide</div>", "5[0-9]+ pixels wide in a window of 390"),
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "axe critical: Images must have alternative text"),
    ],
)
def test_each_fault_is_named(chromium: Browser, tmp_path: Path, content: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        visit(chromium, tmp_path, content)
