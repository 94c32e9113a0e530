"""The pages over a real port: metrics, health, what they refuse, and how they end."""

import re
import signal
import socket
from html import unescape
from http.client import HTTPConnection

import pytest

from shared.client import connect
from shared.errors import UsageError
from shared.system.listen_address import ListenAddress
from tests.datagen_server.page.serving import get, pages, words
from tests.datagen_server.processes import wait_until
from tests.support.services import ServiceProcess
from tests.support.toys import ToySource


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
