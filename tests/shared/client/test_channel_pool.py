"""Names are looked up again, so that replicas which came later get their share."""

import time
from pathlib import Path

import pytest

from datagen_server.service.server import DatasetServer
from shared.client import RetryPolicy, channel_pool, connect
from shared.client.channel_pool import ChannelPool
from shared.errors import Unavailable, UsageError
from shared.security.channel_credentials import ANONYMOUS
from shared.system.listen_address import ListenAddress
from tests.shared.client.name_server import name_server
from tests.support.certificates import Office
from tests.support.toys import ToySource


def test_a_replica_that_comes_later_behind_a_name_gets_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_pool, "_RESOLVE_AFTER_S", 0.2)
    monkeypatch.setattr("shared.client.call_size._FIRST_NUM_STEPS", 1)
    monkeypatch.setattr("shared.client.call_size._CALL_S", 0.0)
    first, second = ToySource(delay_s=0.05), ToySource(delay_s=0.05)
    with (
        name_server("127.0.0.1") as names,
        DatasetServer(first, ListenAddress("127.0.0.1", 0)) as one,
        DatasetServer(second, ListenAddress("127.0.0.2", one.listen.port)) as two,
        connect(f"dns://{names.authority}/datagen.test:{one.listen.port}") as client,
    ):
        with client.stream("train", global_batch_size=10) as stream:
            for batch in stream:
                if batch.step == 20:
                    assert not second.reads
                    names.addresses.append("127.0.0.2")
            assert stream.reopened == 0
        assert names.num_questions > 1
        for server in (one, two):
            server.drain(0.2)
    assert second.reads, "the new replica got nothing"
    first.close()
    second.close()


def test_a_replaced_channel_is_closed_once_its_last_call_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_pool, "_RESOLVE_AFTER_S", 0.0)
    pool = ChannelPool("localhost:1", ANONYMOUS)
    lease = pool.lease()
    time.sleep(0.01)
    others = [pool.lease() for _ in range(3)]
    assert len({id(one.channel) for one in (lease, *others)}) == 4
    for one in others:
        one.end()
    pool.lease()
    assert len(pool._num_calls) == 2
    lease.end()
    pool.close()


@pytest.mark.parametrize("target", ["127.0.0.1:1", "[::1]:1", "unix:/tmp/none", "ipv4:127.0.0.1:1,127.0.0.2:1"])
def test_addresses_are_not_looked_up_again(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_pool, "_RESOLVE_AFTER_S", 0.0)
    pool = ChannelPool(target, ANONYMOUS)
    time.sleep(0.01)
    assert pool.lease().channel is pool.lease().channel
    pool.close()


def test_a_name_without_a_port_is_refused_since_grpc_would_take_another() -> None:
    with pytest.raises(UsageError, match="dns:///datagen names no port, and gRPC would take 443"):
        connect("dns:///datagen")


def test_a_service_that_wants_tls_is_suspected_even_if_another_address_of_its_name_refuses(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    source = ToySource()
    with DatasetServer(source, ListenAddress("127.0.0.1", 0), 16, office.of_server().open()) as server:
        target = f"localhost:{server.listen.port}"
        with pytest.raises(Unavailable, match=r"; if it .* TLS, give --tls-ca"):
            connect(target, RetryPolicy(connect_timeout_s=1.5))
        server.drain(0)
    source.close()


def test_a_service_on_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "captcha.sock"
    listen = ListenAddress.parse(f"unix:{path}", insecure=False)
    for _ in range(2):
        source = ToySource()
        with DatasetServer(source, listen) as server, connect(str(server.listen)) as client:
            assert str(server.listen) == f"unix:{path}"
            assert len(list(client.stream("train"))) == 15
            with pytest.raises(UsageError, match="address already in use"):
                DatasetServer(source, listen)
            server.drain(0.2)
        source.close()
    with pytest.raises(UsageError, match="too long"):
        ListenAddress.parse(f"unix:/{'x' * 200}", insecure=False).check()
