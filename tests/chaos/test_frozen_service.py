"""A service that stops in mid-sentence (SIGSTOP) is noticed within seconds and named."""

import signal
import threading
import time

import pytest

from shared.client import connect
from shared.errors import Unavailable
from tests.services import ServiceProcess

TOY = "tests.toy_server", "PORT", "--train", "10000", "--width", "160", "--height", "64"
LIMIT_S = 15.0
TRIES = 5


def seconds_to_notice(caplog: pytest.LogCaptureFixture) -> float:
    """From the freeze until the client says so; the service thaws later, and the stream must go on where it was."""
    caplog.clear()
    with ServiceProcess(*TOY) as service, connect(service.target) as client, client.stream("train") as stream:
        steps = [next(stream).step for _ in range(20)]
        service.send(signal.SIGSTOP)
        frozen = time.time()
        thaw = threading.Timer(LIMIT_S + 3, service.send, [signal.SIGCONT])
        thaw.start()
        steps += [batch.step for batch in stream]
        thaw.join()
        assert steps == list(range(156))
        assert service.target in caplog.messages[0]
    return caplog.records[0].created - frozen


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_reader_notices_a_frozen_service_in_time_and_names_it(caplog: pytest.LogCaptureFixture) -> None:
    took_s = [seconds_to_notice(caplog) for _ in range(TRIES)]
    print(f"\nfrozen service noticed {TRIES} times of {TRIES}, after {min(took_s):.1f} to {max(took_s):.1f} s")
    assert max(took_s) < LIMIT_S


@pytest.mark.long
def test_a_frozen_service_is_no_answer_to_a_new_reader() -> None:
    with ServiceProcess(*TOY) as service:
        service.send(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(Unavailable, match=service.target):
            connect(service.target)
        took_s = time.monotonic() - started
        print(f"\nconnecting to a frozen service: refused after {took_s:.1f} s")
        assert took_s < LIMIT_S
