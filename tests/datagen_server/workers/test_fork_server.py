import os
import pickle
import socket
from collections.abc import Iterator

import pytest

from datagen_server.workers import fork_server
from datagen_server.workers.fork_server import ForkServer
from datagen_server.workers.worker import Worker
from tests.datagen_server.processes import children, wait_until


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer(int)
    yield server
    server.stop()


def answers(worker: Worker, *calls: tuple[object, ...]) -> list[tuple[bool, object]]:
    for function, *args in calls:
        worker.send(pickle.dumps((function, args, {})))
    return [worker.receive() for _ in calls]


def test_workers_are_copies_of_the_server_and_end_one_by_one(server: ForkServer) -> None:
    workers = [Worker(server.fork, 1) for _ in range(3)]
    parents = [answers(worker, (os.getppid,))[0][1] for worker in workers]
    assert len(set(parents)) == 1
    assert server.is_alive
    assert [worker.stop() for worker in reversed(workers)] == [0, 0, 0]
    assert not children(int(str(parents[0])))


def test_a_worker_is_told_by_its_status(server: ForkServer) -> None:
    first, second = Worker(server.fork, 1), Worker(server.fork, 1)
    first.send(pickle.dumps((os._exit, (7,), {})))
    with pytest.raises(EOFError):
        first.receive()
    assert first.stop() == 7
    assert answers(second, (abs, -1)) == [(True, 1)]
    assert second.stop() == 0


def test_a_copy_has_as_many_open_files_as_the_first(server: ForkServer) -> None:
    """Had it those of the others, nobody would see the end of one while another lives."""
    workers = [Worker(server.fork, 1) for _ in range(3)]
    files = [answers(worker, (os.listdir, "/proc/self/fd"))[0][1] for worker in workers]
    assert len(set(map(str, files))) == 1
    assert [worker.stop() for worker in workers] == [0, 0, 0]


def test_what_cannot_be_forked_has_ended_with_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError("no more processes")

    monkeypatch.setattr(os, "fork", fork)
    ours, theirs = socket.socketpair()
    with ours:
        process = fork_server._fork(ours, [theirs.detach()], 1)
        assert ours.recv(1) == b""  # So whoever waits for this worker sees its end.
    assert fork_server._exit_status(process) == os.EX_OSERR


def test_a_worker_whose_files_could_not_be_sent_has_ended_and_the_next_is_itself(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_fds(*_: object) -> int:
        raise OSError("too many references")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "send_fds", send_fds)
        lost = Worker(server.fork, 1)
    with pytest.raises((EOFError, OSError)):
        lost.receive()
    following = Worker(server.fork, 1)
    following.send(pickle.dumps((os._exit, (5,), {})))
    assert [lost.stop(), following.stop()] == [os.EX_OSERR, 5]


def test_a_server_that_ends_gives_its_own_status() -> None:
    server = ForkServer(os.abort)
    worker = Worker(server.fork, 1)
    with pytest.raises((EOFError, OSError)):
        worker.receive()
    assert worker.stop() == -6
    wait_until(lambda: not server.is_alive, "its end")
    assert Worker(server.fork, 1).stop() == -6
    server.stop()
