"""Reflection, by the tools that use it and by hand."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from sys import executable
from threading import Event

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as messages

from datagen_server.service.health_check import check_health
from shared.protocol.contract import SERVICE
from tests.support.services import served

BUF = Path(executable).parent / "buf"


def buf_curl(*arguments: str) -> str:
    command = [str(BUF), "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_tool_lists_and_calls_the_methods_without_the_proto() -> None:
    with served() as target:
        methods = buf_curl("--list-methods", f"http://{target}").split()
        described = json.loads(buf_curl(f"http://{target}/{SERVICE}/GetDataset"))
    assert {f"{SERVICE}/{name}" for name in ("GetDataset", "StreamBatches", "GetSamples")} <= set(methods)
    assert "grpc.health.v1.Health/Check" in methods
    assert described["source"] == "toy"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_both_names_of_reflection_answer_and_calls_left_open_keep_nobody_waiting(version: str) -> None:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    request = messages.ServerReflectionRequest(list_services="").SerializeToString()
    with served(max_streams=1) as target, grpc.insecure_channel(target) as channel:
        (answer,) = channel.stream_stream(path, None, None)(iter([request]), timeout=20)
        names = messages.ServerReflectionResponse.FromString(answer).list_services_response.service
        assert SERVICE in {name.name for name in names}
        forever = [channel.stream_stream(path, None, None)(_late()) for _ in range(20)]
        check_health(target)
        for call in forever:
            call.cancel()  # type: ignore[no-untyped-call]


def _late() -> Iterator[bytes]:
    Event().wait(2)
    yield b""
