"""The floor of gRPC: messages of the same sizes, ready in memory, over one stream of grpcio, with nothing done to them.

    python -m tests.benchmarks.bare_grpc send MESSAGE_BYTES NUM_MESSAGES
    python -m tests.benchmarks.bare_grpc receive HOST:PORT MESSAGE_BYTES NUM_MESSAGES

What the service and the client do beside (reading, checking, joining, decoding) cannot be quicker than this. The sender
holds a whole epoch, as `bare_socket` does.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from shared.client.channel import OPTIONS
from tests.benchmarks.turns import BATCH_SIZE, answer_readings

_SERVICE, _METHOD = "bench.Bare", "Read"


def send(message_bytes: int, num_messages: int) -> None:
    """Serves epochs until its input ends; a request says how many."""
    epoch = bytes(range(256)) * (message_bytes * num_messages // 256 + 1)
    messages = [epoch[start * message_bytes : (start + 1) * message_bytes] for start in range(num_messages)]

    def read(request: bytes, context: Any) -> Iterator[bytes]:
        for _ in range(int.from_bytes(request, "little")):
            yield from messages

    handler = grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: grpc.unary_stream_rpc_method_handler(read)})
    server = grpc.server(ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(0)


def receive(target: str, message_bytes: int, num_messages: int) -> None:
    """A reader."""
    with grpc.insecure_channel(target, OPTIONS) as channel:
        call = channel.unary_stream(f"/{_SERVICE}/{_METHOD}", None, None)

        def read(epochs: int) -> Iterator[int]:
            for message in call(epochs.to_bytes(4, "little")):
                assert len(message) == message_bytes
                yield BATCH_SIZE

        answer_readings(read)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(int(sys.argv[2]), int(sys.argv[3]))
    else:
        receive(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
