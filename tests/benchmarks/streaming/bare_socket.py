"""The floor: messages of the same sizes over a bare TCP socket, from memory to memory, with nothing done to them.

    python -m tests.benchmarks.streaming.bare_socket send MESSAGE_BYTES NUM_MESSAGES
    python -m tests.benchmarks.streaming.bare_socket receive HOST:PORT MESSAGE_BYTES NUM_MESSAGES

The sender holds a whole epoch, so that what it sends is no more in the processor's cache than stored samples are.
"""

import socket
import sys
import threading
from collections.abc import Iterator

from tests.benchmarks.turns import BATCH_SIZE, answer_readings


def send(message_bytes: int, num_messages: int) -> None:
    """Sends as many epochs as each connection asks for."""
    epoch = memoryview(bytes(range(256)) * (message_bytes * num_messages // 256 + 1))
    messages = [epoch[start * message_bytes : (start + 1) * message_bytes] for start in range(num_messages)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, messages), daemon=True).start()
        print(f"listening on 127.0.0.1:{server.getsockname()[1]}", flush=True)
        sys.stdin.read()


def receive(target: str, message_bytes: int, num_messages: int) -> None:
    """A reader."""
    host, _, port = target.rpartition(":")
    buffer = memoryview(bytearray(message_bytes))
    with socket.create_connection((host, int(port))) as connection:

        def read(epochs: int) -> Iterator[int]:
            connection.sendall(epochs.to_bytes(4, "little"))
            for _ in range(epochs * num_messages):
                connection.recv_into(buffer, message_bytes, socket.MSG_WAITALL)
                yield BATCH_SIZE

        answer_readings(read)


def _accept(server: socket.socket, messages: list[memoryview]) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection, messages), daemon=True).start()


def _serve(connection: socket.socket, messages: list[memoryview]) -> None:
    with connection:
        while request := connection.recv(4, socket.MSG_WAITALL):
            for _ in range(int.from_bytes(request, "little")):
                for message in messages:
                    connection.sendall(message)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(int(sys.argv[2]), int(sys.argv[3]))
    else:
        receive(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
