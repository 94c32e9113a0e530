"""What the service writes down: lines that say who, where and why, and JSON that machines can read."""

import json
import subprocess
import sys

import grpc
import pytest

from shared.client import connect
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.contract import REQUEST_ID_KEY, SERVICE
from tests.support.services import served

REQUEST = pb.StreamBatchesRequest(split="test", global_batch_size=10, ranks=2, rank=1, num_steps=2, epoch=5)


def stream(target: str, *metadata: tuple[str, str]) -> None:
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_stream(f"/{SERVICE}/StreamBatches", None, None)
        assert len(list(call(REQUEST.SerializeToString(), metadata=metadata, timeout=20))) == 2


def test_serve_logs_one_json_object_a_line_with_the_facts_of_each_stream() -> None:
    command = [sys.executable, "-m", "datagen_server", "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
    service = subprocess.Popen(
        [*command, "--workers", "1", "--stop-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert service.stdout is not None
    target = service.stdout.readline().removeprefix("listening on ").strip()
    stream(target, (REQUEST_ID_KEY, "a-name.0"), ("authorization", "Bearer hush-hush"))
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(b"\xff", timeout=20)
    _, words = service.communicate(timeout=60)
    assert "hush" not in words
    lines = [json.loads(line) for line in words.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    opened, closed = [line for line in lines if line.get("request_id") == "a-name.0"]
    facts = {"split": "test", "epoch": 5, "rank": 1, "ranks": 2, "step": 0}
    assert facts.items() <= opened.items()
    assert {**facts, "step": 2}.items() <= closed.items()
    assert closed["peer"].startswith("ipv4:127.0.0.1:")
    assert 0 <= closed["service_s"] + closed["reader_s"] <= closed["seconds"] + 0.01
    (refused,) = [line for line in lines if line.get("code") == "INVALID_ARGUMENT"]
    assert refused["level"] == "WARNING"
    assert refused["message"].endswith("request must be a message of captcha.v1, got 1 other bytes")


def test_our_client_names_its_requests_and_each_try_of_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "datagen_server")
    with served() as target, connect(target) as client, client.stream("train", num_steps=1) as stream:
        next(stream)
    opened = next(record for record in caplog.records if "opened" in record.getMessage())
    name, _, tries = opened.__dict__["request_id"].partition(".")
    assert len(name) == 8
    assert tries == "0"


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "<script>", "a=b"])
def test_a_name_that_does_not_fit_into_a_log_is_replaced(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "datagen_server")
    with served() as target:
        stream(target, (REQUEST_ID_KEY, name))
    # By its epoch: a stream of an earlier test may still be closing.
    found = {record.__dict__["request_id"] for record in caplog.records if "epoch 5" in record.getMessage()}
    assert len(found) == 1
    assert found.pop().isalnum()
