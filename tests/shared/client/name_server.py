"""A DNS server for one name, on loopback: the addresses behind it may be changed at any time."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NameServer:
    """Answers every question for an IPv4 address with `addresses`, and other questions with nothing."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.num_questions = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        """Until it is closed."""
        with self._socket:
            while (received := self._socket.recvfrom(512))[0]:
                self._socket.sendto(self._answer(received[0]), received[1])

    def close(self) -> None:
        """Ends `serve`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())

    def _answer(self, question: bytes) -> bytes:
        end = question.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", question[end - 4 : end - 2])
        found = self.addresses if kind == 1 else []
        self.num_questions += kind == 1
        header = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
        records = [struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address) for address in found]
        return header + question[12:end] + b"".join(records)


@contextmanager
def name_server(*addresses: str) -> Iterator[NameServer]:
    server = NameServer(*addresses)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
