"""What a server counts: calls as go-grpc-prometheus does, streams, waits, damage."""

from collections.abc import Iterator
from time import perf_counter

import grpc
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from datagen_server.service.monitoring.stream_metrics import ServiceMetrics, StreamMeter
from datagen_server.service.server import DatasetServer
from shared.client import connect
from shared.dataset.rank_slice import Remainder
from shared.errors import NotFound
from shared.protocol.contract import SERVICE
from shared.protocol.request import StreamRequest
from shared.system.listen_address import ListenAddress
from tests.datagen_server.processes import wait_until
from tests.support.toys import TOY_FINGERPRINT, ToySource

Samples = dict[str, float]
STREAM = {"grpc_type": "server_stream", "grpc_service": SERVICE, "grpc_method": "StreamBatches"}


def scrape(metrics: ServiceMetrics) -> Samples:
    """Every sample of an exposition that Prometheus' own parser reads, by name and labels."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {key(sample.name, **sample.labels): sample.value for family in families for sample in family.samples}


def key(name: str, **labels: str) -> str:
    return name + "".join(f" {label}={value}" for label, value in sorted(labels.items()))


@pytest.fixture
def server() -> Iterator[DatasetServer]:
    source = ToySource()
    with DatasetServer(source, ListenAddress("127.0.0.1", 0)) as server:
        yield server
        server.drain(0.2)
    source.close()


def test_a_stream_that_is_read_to_its_end_is_counted_in_every_figure(server: DatasetServer) -> None:
    with connect(str(server.listen)) as client, client.stream("train", global_batch_size=64) as stream:
        num_images = sum(len(batch) for batch in stream)
    handled = key("grpc_server_handled_total", grpc_code="OK", **STREAM)
    wait_until(lambda: scrape(server.metrics)[handled] == 1, "the end of the call")
    found = scrape(server.metrics)
    rank_0 = {"split": "train", "rank": "0"}
    assert num_images == 15 * 64
    assert found[key("captcha_images_total", **rank_0)] == num_images
    assert found[key("captcha_batches_total", **rank_0)] == 15
    assert found[key("captcha_batch_bytes_total", **rank_0)] > num_images * 24 * 16 * 3
    assert found[key("grpc_server_started_total", **STREAM)] == 1
    assert found[key("grpc_server_msg_received_total", **STREAM)] == 1
    assert found[key("grpc_server_msg_sent_total", **STREAM)] == 15
    assert found[key("grpc_server_handling_seconds_count", **STREAM)] == 1
    assert found[key("captcha_read_seconds_count")] == 15
    assert found[key("captcha_open_streams", split="train")] == 0
    assert key("captcha_stream_step", **rank_0) not in found
    build = {"fingerprint": TOY_FINGERPRINT, "source": "toy", "version": "0.1.0"}
    assert found[key("captcha_build_info", **build)] == 1
    assert found["process_resident_memory_bytes"] > 0


def test_a_short_last_batch_counts_its_images_only(server: DatasetServer) -> None:
    with connect(str(server.listen)) as client:
        for rank in (0, 1):
            stream = client.stream("test", global_batch_size=100, rank=rank, ranks=2, remainder=Remainder.PAD)
            with stream:
                list(stream)

    def counted() -> list[float | None]:
        found = scrape(server.metrics)
        return [found.get(key("captcha_images_total", split="test", rank=rank)) for rank in "01"]

    wait_until(lambda: counted() == [80, 50], "both streams to be counted")


def test_a_refusal_is_counted_by_its_status(server: DatasetServer) -> None:
    with connect(str(server.listen)) as client, grpc.insecure_channel(str(server.listen)) as channel:
        with pytest.raises(NotFound):
            client.stream("dev")
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(b"\xff", timeout=20)
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(f"/{SERVICE}/Sing", None, None)(b"", timeout=20)
    unary = {"grpc_type": "unary", "grpc_service": SERVICE}
    found = scrape(server.metrics)
    refused = {"grpc_method": "GetSamples", "grpc_code": "InvalidArgument"}
    assert found[key("grpc_server_handled_total", **unary, **refused)] == 1
    assert found[key("grpc_server_handled_total", **unary, grpc_method="GetDataset", grpc_code="OK")] == 1
    assert not any("Sing" in name for name in found)


def test_a_reader_that_leaves_is_counted_as_canceled(server: DatasetServer) -> None:
    with connect(str(server.listen)) as client, client.stream("train", global_batch_size=2) as stream:
        next(stream)
    canceled = key("grpc_server_handled_total", grpc_code="Canceled", **STREAM)
    wait_until(lambda: scrape(server.metrics).get(canceled) == 1, "the cancelled call")


def test_a_wait_counts_while_it_lasts_and_says_who_is_slow() -> None:
    source = ToySource(delay_s=3)
    rank_3 = {"split": "train", "rank": "3"}
    with DatasetServer(source, ListenAddress("127.0.0.1", 0)) as server, connect(str(server.listen)) as client:
        with client.stream("train", rank=3, ranks=4):
            lasting = key("captcha_stream_current_wait_seconds", who="service", **rank_3)
            wait_until(lambda: scrape(server.metrics).get(lasting, 0) > 0.5, "half a second without a batch")
            found = scrape(server.metrics)
            assert found[key("captcha_stream_wait_seconds_total", who="service", **rank_3)] > 0.5
            assert found[key("captcha_stream_wait_seconds_total", who="reader", **rank_3)] == 0
            assert found[key("captcha_stream_current_wait_seconds", who="reader", **rank_3)] == 0
            assert found[key("captcha_stream_epoch", **rank_3)] == found[key("captcha_stream_step", **rank_3)] == 0
            assert found[key("captcha_open_streams", split="train")] == 1
        server.drain(0.2)
    source.close()


def address(rank: int = 0, ranks: int = 1) -> StreamRequest:
    dataset = ToySource(counts={"train": 10_000}).dataset
    return StreamRequest(dataset=dataset, split="train", rank=rank, ranks=ranks, global_batch_size=ranks)


def test_a_reader_that_stalls_shows_before_it_comes_back() -> None:
    meter = StreamMeter(address(), "peer", "id")
    meter.ready()
    now = perf_counter() + 300
    waits = meter.waits(now)
    assert waits.who == "reader"
    assert waits.lasted_s == pytest.approx(300, abs=1)
    assert meter.recent(now).reader_share == pytest.approx(1, abs=0.01)
    assert meter.recent(now).images_per_s == 0


def test_waits_never_go_back_and_add_up_to_the_time_that_went_by() -> None:
    meter, seen = StreamMeter(address(), "peer", "id"), [(0.0, 0.0)]
    for step in range(200):
        meter.ready()
        seen.append(meter.waits(perf_counter())[2:])
        # Read before the meter moved on, as a scrape may: still not less than what was told.
        early = perf_counter()
        meter.sent(step, 10)
        seen.append(meter.waits(early)[2:])
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert seen == sorted(seen, key=lambda pair: pair[1])
    now = perf_counter()
    assert sum(meter.waits(now)[2:]) == pytest.approx(now - meter.opened_s)


def test_ten_thousand_ranks_are_few_time_series() -> None:
    metrics = ServiceMetrics(ToySource())
    for rank in range(10_000):
        with metrics.stream(address(rank, 10_000), "peer", "id") as meter:
            meter.ready()
            meter.sent(0, 100)
    found = scrape(metrics)
    assert sum(name.startswith("captcha_batches_total") for name in found) == 257
    assert found[key("captcha_batches_total", split="train", rank="256+")] == 10_000 - 256
    assert len(found) < 1500


def test_two_servers_count_apart() -> None:
    one, two = ServiceMetrics(ToySource()), ServiceMetrics(ToySource())
    with one.stream(address(), "peer", "id") as meter:
        meter.ready()
        meter.sent(0, 1)
        assert scrape(one)[key("captcha_batches_total", split="train", rank="0")] == 1
        assert key("captcha_batches_total", split="train", rank="0") not in scrape(two)
