"""Several processes that read one split together, each its own share.

What surprises: only readings travel back, so this process does all the counting, and the figures are those of one rank.
A rank ignores Ctrl-C and has nobody to outlive: it is killed when the block ends, and ends by itself at its next word
when this process is gone.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from evaluator.scores import ReadBatch
from evaluator.split_reader import Share, read_share
from shared.client import connect
from shared.errors import StreamingError, UsageError
from shared.recogniser.checkpoint import read_info
from shared.recogniser.device import set_device
from shared.recogniser.predictor import Recogniser
from shared.security.credentials import Access

# By the documents; not run on a device.
_VISIBLE = {"ascend": "ASCEND_RT_VISIBLE_DEVICES", "gpu": "CUDA_VISIBLE_DEVICES"}


@dataclass(frozen=True)
class _Failed:
    """A rank's last words."""

    words: str
    exit_code: int


_Word = ReadBatch | _Failed | None
"What a rank says: a group it has read, why it cannot go on, or that it is ready and later that it is done."


@contextmanager
def ranks_reading(share: Share, ranks: int, access: Access, fingerprint: str) -> Iterator[Iterator[ReadBatch]]:
    """Yields what `ranks` processes read, as it comes, once all of them are ready to read.

    Raises the error of a rank that cannot go on, `StreamingError` when one dies.
    """
    with ExitStack() as stack:
        shares = [replace(share, rank=rank, ranks=ranks) for rank in range(ranks)]
        connections = [stack.enter_context(_rank(each, access, fingerprint)) for each in shares]
        for rank, connection in enumerate(connections):
            _hear(connection, rank)
        for connection in connections:
            connection.send(None)
        yield _all_heard(connections)


@contextmanager
def _rank(share: Share, access: Access, fingerprint: str) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, share, access, fingerprint), daemon=True)
    _start_deaf_to_ctrl_c(process)
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def _start_deaf_to_ctrl_c(process: BaseProcess) -> None:
    """A process inherits which signals are blocked: so there is no moment at which it would hear one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _all_heard(connections: Sequence[Connection]) -> Iterator[ReadBatch]:
    ranks = {connection: rank for rank, connection in enumerate(connections)}
    while ranks:
        for connection in wait(list(ranks)):
            assert isinstance(connection, Connection)  # noqa: S101 - what was given is what comes.
            word = _hear(connection, ranks[connection])
            if word is None:
                del ranks[connection]
            else:
                yield word


def _hear(connection: Connection, rank: int) -> ReadBatch | None:
    try:
        word: _Word = connection.recv()
    except (EOFError, ConnectionError) as error:
        raise StreamingError(f"rank {rank} died without a word, killed or out of memory") from error
    if isinstance(word, _Failed):
        kind = UsageError if word.exit_code == UsageError.exit_code else StreamingError
        raise kind(f"rank {rank}: {word.words}")
    return word


def _work(connection: Connection, share: Share, access: Access, fingerprint: str) -> None:
    """The whole life of a rank."""
    try:
        if share.device in _VISIBLE:
            os.environ[_VISIBLE[share.device]] = str(share.rank)
        set_device(share.device)
        recogniser = Recogniser(share.checkpoint, read_info(share.checkpoint), share.device)
        recogniser.warm_up()
        with connect(access.target, security=access.security) as client:
            if client.dataset.fingerprint != fingerprint:
                raise StreamingError(f"the service at {access.target} changed its data set meanwhile")
            connection.send(None)
            connection.recv()
            for batch in read_share(share, recogniser, client):
                connection.send(batch)
        connection.send(None)
    except StreamingError as error:
        connection.send(_Failed(str(error), error.exit_code))
    except (EOFError, ConnectionError):
        pass  # Nobody listens any more.
