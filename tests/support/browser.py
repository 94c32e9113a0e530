"""Pages as people meet them: Debian's Chromium, headless, at four views, watched for whatever a page must not do.

A test takes the fixture `chromium` and opens a page with `visited(chromium, url, view)`. Note: the checks run
when the block ends, so they also cover what the test clicked on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
# Shared machines: a page is slow long before it hangs.
_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class View:
    """What a page is looked at with."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return self.name


VIEWS = [
    View(f"{device}-{scheme}", width, height, scheme)
    for device, width, height in (("desktop", 1280, 900), ("phone", 390, 844))
    for scheme in ("light", "dark")
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one module: Playwright's event loop would be in the way of other modules' own."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium, then make test-pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, timeout=_TIMEOUT_MS)
        yield browser
        browser.close()


@contextmanager
def visited(browser: Browser, url: str, view: View) -> Iterator[Page]:
    """An open page. Afterwards nothing may have been said on the console or asked of another origin, nothing may stand
    outside the window's width, and axe may have no complaint."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": view.width, "height": view.height}, color_scheme=view.scheme)
    context.set_default_timeout(_TIMEOUT_MS)
    page = context.new_page()
    page.on("console", lambda message: faults.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    page.route("**/*", lambda route: _pass_or_note(route, url, faults))
    try:
        page.goto(url)
        yield page
        page.wait_for_load_state()  # After a click the style sheet may still be on its way.
        faults += _too_wide(page) + _inaccessible(page)
    finally:
        context.close()
    if faults:
        raise AssertionError(f"{url} ({view}): " + "; ".join(faults))


def _pass_or_note(route: Route, url: str, faults: list[str]) -> None:
    """Lets requests through to the page's own service, or for a file to the file itself."""
    asked, own = urlsplit(route.request.url), urlsplit(url)
    is_own = asked.path == own.path if own.scheme == "file" else asked.netloc == own.netloc
    if asked.scheme == own.scheme and is_own:
        route.continue_()
        return
    faults.append(f"request: {route.request.url}")
    route.abort()


def _too_wide(page: Page) -> list[str]:
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return [f"{width} pixels wide in a window of {window}"] if width > window else []


def _inaccessible(page: Page) -> list[str]:
    results = Axe().run(page).response["violations"]
    return [f"axe {each['impact']}: {each['help']}: {each['nodes'][0]['html']}" for each in results]
