"""The pages over a real port: what they show, of damage too, and how they end."""

import re
import signal
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from datagen_server.page.app import status_app
from datagen_server.page.recent_faults import RecentFaults
from datagen_server.service.server import DatasetServer
from datagen_server.shards.manifest import Manifest, Plan
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.shard_source import ShardSource
from shared.client import connect
from shared.errors import UsageError
from shared.page.page_server import PageServer
from shared.protocol.contract import SERVICE
from shared.system.listen_address import ListenAddress
from tests.datagen_server.processes import wait_until
from tests.datagen_server.shards.building import build, damage_record, plan_of, with_foreign_fingerprint
from tests.support.services import ServiceProcess
from tests.support.toys import TOY_FINGERPRINT, ToySource, toy_samples

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


class _Text(HTMLParser):
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
    return " ".join(_Text(html).words)


def test_the_status_page_names_the_data_set() -> None:
    with pages(ToySource()) as (address, _):
        text = words(address)
        assert text.startswith("Status - captcha data set service")
        for fact in (TOY_FINGERPRINT, "test 130", "train 1,000", "24x16 RGB", "Nobody is reading.", "Serving for"):
            assert fact in text


def test_an_open_stream_is_shown_with_its_place_and_who_waits() -> None:
    with pages(ToySource()) as (address, server), connect(str(server.listen)) as client:
        with client.stream("train", epoch=7, rank=1, ranks=2, global_batch_size=2, prefetch=1) as stream:
            for _ in range(3):
                next(stream)
            # The toy images are small: sockets and flow control swallow some hundred batches of a reader that stops.
            assert re.search(r"1 of 2 train 7 [\d,]+ of 500 [\d,]+ service \d+%, reader \d+%", words(address))
        wait_until(lambda: "Nobody is reading." in words(address), "the end of the stream")


def test_a_starved_reader_is_named_first_of_all() -> None:
    with (
        pages(ToySource(delay_s=2)) as (address, server),
        connect(str(server.listen)) as client,
        client.stream("train", rank=1, ranks=2, global_batch_size=2),
    ):
        starved = "1 of 1 reader waits for this service more than half of the time: train rank 1."
        wait_until(lambda: starved in words(address), "the starved rank")


def refuse_a_call(server: DatasetServer) -> None:
    """Sends bytes that are no request."""
    with grpc.insecure_channel(str(server.listen)) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(b"\xff")


def test_totals_finished_readers_and_refused_calls_are_shown() -> None:
    with (
        RecentFaults() as faults,
        pages(ToySource(), faults) as (address, server),
        connect(str(server.listen)) as client,
    ):
        before = words(address)
        assert "Nothing has been read." in before
        assert "No stream has ended yet." in before
        with client.stream("test", shuffle=False, global_batch_size=10) as stream:
            assert len(list(stream)) == 13
        refuse_a_call(server)
        wait_until(lambda: "No stream has ended yet." not in words(address), "the end of the stream")
        after = words(address)
        assert re.search(r"Since the start .* test 130 [\d.]+ 0 1 ", after)
        assert re.search(r"Finished readers .* 0 of 1 test 0 130 [\d,]+ [\d.]+ s done [\d.]+ s ago", after)
        assert re.search(r"Recent faults .*[\d.]+ s ago request \S+ of .* ended with INVALID_ARGUMENT", after)


def test_samples_are_those_of_the_source() -> None:
    with pages(ToySource()) as (address, _):
        status, html = get(address, "/samples?split=test&first=100&count=48")
        assert status == 200
        found = _Text(html).pictures
        images, _ = toy_samples(ToySource().dataset.spec, "test", np.arange(100, 130, dtype=np.uint64))
        assert len(found) == 30
        for picture, image in zip(found, images, strict=True):
            with Image.open(BytesIO(b64decode((picture["src"] or "").removeprefix("data:image/png;base64,")))) as png:
                assert np.array_equal(np.asarray(png), image)


@pytest.mark.parametrize("make", [build, with_foreign_fingerprint])
def test_damage_is_shown_by_shard_and_a_refused_sample_among_its_neighbours(
    make: Callable[[Path, Plan], Manifest], tmp_path: Path
) -> None:
    plan = plan_of(counts={"train": 40}, shard_size=20)
    manifest = make(tmp_path, plan)
    file, is_refused = plan.shards[0].file, make is with_foreign_fingerprint
    damage_record(tmp_path, manifest.plan, plan.shards[0], 1)
    with pages(ShardSource(tmp_path)) as (address, _):
        assert "No damaged record has been read." in words(address)
        html = get(address, "/samples?split=train&count=3")[1]
        assert len(_Text(html).pictures) == (2 if is_refused else 3)
        assert (f"{file}: the record of index 1 of train is damaged or missing" in html) == is_refused
        assert f"{file} 1 {'0 1' if is_refused else '1 0'}" in words(address)


def test_a_missing_shard_is_shown_before_anybody_reads_it(tmp_path: Path) -> None:
    plan = plan_of(counts={"train": 40}, shard_size=20)
    build(tmp_path, plan)
    (tmp_path / plan.shards[1].file).unlink()
    with pages(ShardSource(tmp_path)) as (address, _):
        assert f"1 shard file is missing: {plan.shards[1].file} ( verify --repair makes them again)" in words(address)


def test_metrics_are_an_exposition_that_says_what_it_is() -> None:
    with pages(ToySource()) as (address, _):
        connection = HTTPConnection(address, timeout=60)
        connection.request("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
        answer = connection.getresponse()
        assert (answer.getheader("Content-Type") or "").startswith("text/plain; version=0.0.4")
        assert b"captcha_build_info{" in answer.read()
        connection.close()


def test_health_turns_with_the_drain() -> None:
    with pages(ToySource()) as (address, server):
        assert get(address, "/healthz") == (200, "serving\n")
        server.drain(0)
        assert get(address, "/healthz") == (503, "draining\n")
        assert "Draining for" in words(address)


def test_a_line_of_a_hundred_kilobytes_is_refused_over_the_wire_and_raw_bytes_are_no_harm() -> None:
    with pages(ToySource()) as (address, _):
        assert get(address, f"/samples?first={'9' * 100_000}")[0] == 400
        assert get(address, f"/samples?first={'9' * 300_000}")[0] == 431
        host, _, port = address.rpartition(":")
        for line in (b"GET /samples?first=\xff\xfe\x01 HTTP/1.1", b"GET /?\x1b[0m HTTP/1.1", b"\x16\x03\x01\x02"):
            with socket.create_connection((host, int(port)), timeout=60) as raw:
                raw.sendall(line + b"\r\n\r\n")
                assert raw.recv(100).startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert get(address, "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("path", "status", "line"),
    [
        ("/samples?split=test&label=%3Cb%3E", 400, "label must be up to 4 characters of the data set's alphabet"),
        ("/samples?split=nope", 400, "split must be one of test, train"),
        ("/nope", 404, "not found; there are /, /samples, /metrics and /healthz, to GET"),
    ],
)
def test_a_refusal_is_a_page_with_a_way_back_for_a_browser_and_a_line_for_others(
    path: str, status: int, line: str
) -> None:
    def asked(accept: str) -> tuple[int, str, str]:
        connection = HTTPConnection(address, timeout=60)
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Content-Type") or "", text

    with pages(ToySource()) as (address, _):
        code, kind, html = asked("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8")
        assert (code, kind) == (status, "text/html; charset=utf-8")
        assert "<b>" not in html
        assert '<a href="/">' in html
        assert line in unescape(html)
        for accept in ("*/*", "text/plain"):
            code, kind, text = asked(accept)
            assert (code, kind) == (status, "text/plain; charset=utf-8")
            assert text.startswith(line)
            assert text.count("\n") == 1


def test_the_page_closes_with_connections_still_open() -> None:
    with pages(ToySource()) as (address, _):
        idle = HTTPConnection(address, timeout=60)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
    with pytest.raises(ConnectionError):
        get(address, "/healthz")
    idle.close()


def test_a_taken_port_is_named() -> None:
    with pages(ToySource()) as (address, _):
        host, _, port = address.rpartition(":")
        with pytest.raises(UsageError, match=f"cannot listen on {address}: .*choose another --metrics-listen"):
            ListenAddress.parse(f"{host}:{port}", insecure=False, option="--metrics-listen").check()


def test_serve_offers_it_and_turns_it_to_503_while_a_stream_still_ends() -> None:
    command = "datagen_server", "serve", "--listen", "127.0.0.1:0", "--workers", "1", "--stop-with-stdin"
    with ServiceProcess(*command, "--metrics-listen", "127.0.0.1:0") as service:
        assert service.process.stdout is not None
        address = service.process.stdout.readline().strip().removeprefix("metrics on ")
        assert get(address, "/healthz") == (200, "serving\n")
        # A reader that stopped reading holds the service in its grace time.
        with connect(service.target) as client, client.stream("train", prefetch=1) as stream:
            next(stream)
            stands = re.compile(r'captcha_stream_current_wait_seconds{rank="0",split="train",who="reader"} [1-9]')
            wait_until(lambda: bool(stands.search(get(address, "/metrics")[1])), "a full pipe", timeout_s=120)
            service.send(signal.SIGTERM)
            wait_until(lambda: get(address, "/healthz") == (503, "draining\n"), "the drain")
        assert service.wait() == 0
