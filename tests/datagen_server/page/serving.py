"""The pages of a server in this process, and what they say."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.client import HTTPConnection

from datagen_server.page.app import status_app
from datagen_server.page.recent_faults import RecentFaults
from datagen_server.service.server import DatasetServer
from datagen_server.sources.sample_source import SampleSource
from shared.page.page_server import PageServer
from shared.system.listen_address import ListenAddress

LOOPBACK = ListenAddress("127.0.0.1", 0)


@contextmanager
def pages(source: SampleSource, faults: RecentFaults | None = None) -> Iterator[tuple[str, DatasetServer]]:
    """The address of the pages of a server over `source`, and the server."""
    try:
        with (
            DatasetServer(source, LOOPBACK) as server,
            PageServer(status_app(source, server.metrics, lambda: server.is_serving, faults), LOOPBACK) as page,
        ):
            yield str(page.listen), server
            server.drain(0.2)
    finally:
        source.close()


def get(address: str, path: str) -> tuple[int, str]:
    connection = HTTPConnection(address, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Text(HTMLParser):
    """The words of a page, without its tags, and its pictures."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words.extend(data.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs))


def words(address: str, path: str = "/") -> str:
    status, html = get(address, path)
    assert status == 200, html
    return " ".join(Text(html).words)
