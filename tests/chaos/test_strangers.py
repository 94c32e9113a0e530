"""Strangers at the door, again and again, while a reader with all its papers reads on and notices nothing."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from shared.client import connect
from shared.protocol.contract import SERVICE
from tests.support.certificates import NAMES, TOKEN, Office, expired, guarded, not_yet_valid, write_pair
from tests.support.outcomes import recorded
from tests.support.toys import ToySource

pytestmark = pytest.mark.long
TRIES = 100
UNAVAILABLE, DENIED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED
Credentials = grpc.ChannelCredentials | None
Metadata = tuple[tuple[str, str], ...]
BEARER: Metadata = (("authorization", f"Bearer {TOKEN}"),)
_NUMBERS = count()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def credentials_with(office: Office, name: str, cert: trustme.LeafCert) -> Credentials:
    chain, key = (path.read_bytes() for path in write_pair(office.folder, name, cert))
    return grpc.ssl_channel_credentials(office.ca.read_bytes(), key, chain)


def with_wrong_certificates(office: Office) -> Mapping[str, Credentials]:
    own, other = office.authority, trustme.CA()
    return {
        "in plain text": None,
        "without a certificate": grpc.ssl_channel_credentials(office.ca.read_bytes()),
        "with an expired certificate": credentials_with(office, "a", expired(own, "reader@test")),
        "with one that is not yet valid": credentials_with(office, "b", not_yet_valid(own, "reader@test")),
        "with one of another authority": credentials_with(office, "c", other.issue_cert("reader@test")),
    }


WRONG_TOKENS: Mapping[str, Metadata] = {
    "without a token": (),
    "with an empty one": (("authorization", "Bearer "),),
    "with a wrong one": (("authorization", f"Bearer {TOKEN[::-1]}"),),
    "with one a character short": (("authorization", f"Bearer {TOKEN[:-1]}"),),
    "with one a character long": (("authorization", f"Bearer {TOKEN}0"),),
    "with the right one in another scheme": (("authorization", f"Basic {TOKEN}"),),
}


def refused_as(target: str, credentials: Credentials, metadata: Metadata) -> grpc.StatusCode | None:
    """How a call ends over a connection of its own; None when it was answered."""
    options = [("stranger", next(_NUMBERS)), ("grpc.enable_http_proxy", 0)]
    if credentials is None:
        channel = grpc.insecure_channel(target, options)
    else:
        channel = grpc.secure_channel(target, credentials, options)
    with channel:
        try:
            channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return None


@contextmanager
def reading_on(office: Office, target: str) -> Iterator[None]:
    """A reader in a thread of its own; at the end, every step of every epoch must have come once, without a pause."""
    ended, problems = threading.Event(), []

    def read() -> None:
        with connect(target, security=office.mutual) as client:
            for epoch in count():
                with client.stream("train", epoch=epoch) as stream:
                    steps = [batch.step for batch in stream]
                    if steps != list(range(15)) or stream.reopened:
                        problems.append(f"epoch {epoch}: {steps}, reopened {stream.reopened} times")
                if ended.is_set():
                    return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not problems


def try_often(record: Callable[[str, Any], None], what: str, attempt: Callable[[], object], expected: object) -> None:
    with recorded(record, promise="9", what=what) as outcome:
        for _ in range(TRIES):
            with outcome.one_try():
                assert (found := attempt()) == expected, found


def test_strangers_are_refused_every_time_and_the_log_says_why_without_the_secret(
    office: Office,
    record_property: Callable[[str, Any], None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    with guarded(office.of_server(mutual=True, token=True), ToySource(delay_s=0.01)) as target:
        good = credentials_with(office, "good", office.authority.issue_cert("reader@test"))
        with reading_on(office, target):
            for what, wrong in with_wrong_certificates(office).items():
                try_often(record_property, f"calls {what}", partial(refused_as, target, wrong, BEARER), UNAVAILABLE)
            for what, metadata in WRONG_TOKENS.items():
                try_often(record_property, f"calls {what}", partial(refused_as, target, good, metadata), DENIED)
        assert refused_as(target, good, BEARER) is None
    told = [line for line in caplog.messages if "UNAUTHENTICATED" in line]
    assert len(told) == TRIES * len(WRONG_TOKENS)
    table, printed = capfd.readouterr()
    with capfd.disabled():
        print(table)
    for reason in (
        "WRONG_VERSION_NUMBER",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "has expired",
        "not yet valid",
        "issuer",
    ):
        assert printed.count(reason) >= TRIES, reason
    assert not [line for line in (*caplog.messages, printed) if TOKEN[:-1] in line or TOKEN[::-1] in line]


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("with an expired certificate", expired),
        ("with one that is not yet valid", not_yet_valid),
        ("with one of another authority", lambda _, *names: trustme.CA().issue_cert(*names)),
        ("with one for another host", lambda authority, *_: authority.issue_cert("example.org")),
    ],
)
def test_false_services_are_refused_every_time(
    office: Office, record_property: Callable[[str, Any], None], what: str, make: Callable[..., trustme.LeafCert]
) -> None:
    cert, key = write_pair(office.folder, "false", make(office.authority, *NAMES))
    # Our own service would not start with it.
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())]))
    server.start()
    credentials = grpc.ssl_channel_credentials(office.ca.read_bytes())
    try_often(
        record_property,
        f"services {what}",
        partial(refused_as, f"127.0.0.1:{port}", credentials, BEARER),
        UNAVAILABLE,
    )
    server.stop(0).wait()
