"""The figures that alerts compare."""

import ssl
from pathlib import Path

from datagen_server.service.auth import ServerSecurity
from datagen_server.service.server import DatasetServer
from shared.system.listen_address import ListenAddress
from tests.support.certificates import Office
from tests.support.toys import ToySource

LOOPBACK = ListenAddress("127.0.0.1", 0)
EXPIRY = "captcha_certificate_expiry_timestamp_seconds"


def test_the_limit_of_streams_and_whether_it_serves() -> None:
    server = DatasetServer(ToySource(), LOOPBACK, max_streams=7)
    values = server.metrics.registry.get_sample_value
    assert (values("captcha_streams_limit"), values("captcha_serving")) == (7, 0)
    with server:
        assert values("captcha_serving") == 1
    assert values("captcha_serving") == 0
    assert values(EXPIRY) is None


def test_when_the_certificate_expires(tmp_path: Path) -> None:
    security = Office(tmp_path).of_server()
    server = DatasetServer(ToySource(), LOOPBACK, authentication=security.open())
    assert security.cert is not None
    facts = ssl._ssl._test_decode_cert(str(security.cert))  # type: ignore[attr-defined]
    assert server.metrics.registry.get_sample_value(EXPIRY) == ssl.cert_time_to_seconds(facts["notAfter"])
    assert isinstance(security, ServerSecurity)
