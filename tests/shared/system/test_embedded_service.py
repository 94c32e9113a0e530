"""The embedded service: there for the block, gone after it, however it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_options import RenderSpec
from shared.errors import UsageError
from shared.system.embedded_service import embedded_service
from tests.datagen_server.processes import children, family_of, is_alive, wait_until

HOLD = """
import time
from shared.system.embedded_service import embedded_service
with embedded_service({"train": 100}, num_workers=1) as target:
    print(target, flush=True)
    time.sleep(60)
"""


def test_it_serves_what_was_asked_for_and_is_gone_after_the_block() -> None:
    before = children()
    counts, render_spec = {"train": 100, "dev": 20}, RenderSpec(DatasetSpec(seed=9))
    with embedded_service(counts, render_spec, num_workers=1) as target, connect(target) as client:
        assert client.dataset.counts == {"train": 100, "dev": 20, "test": 10_000}
        assert client.dataset.spec.seed == 9
        with client.stream("dev", global_batch_size=10) as stream:
            assert [batch.step for batch in stream] == [0, 1]
    assert children() == before


def test_what_takes_as_long_is_done_while_it_starts_and_an_exception_there_ends_it() -> None:
    before = children()
    new: list[int] = []

    def interrupted() -> None:
        new.extend(set(children()) - set(before))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), embedded_service({"train": 100}, while_it_starts=interrupted):
        pytest.fail("it was waited for")
    assert len(new) == 1
    assert children() == before


def test_it_is_gone_after_an_exception_too() -> None:
    before = children()
    with pytest.raises(KeyboardInterrupt), embedded_service({"train": 100}, num_workers=1):
        raise KeyboardInterrupt
    assert children() == before


def test_a_service_that_does_not_start_is_reported_with_its_own_message() -> None:
    with pytest.raises(UsageError, match=r"^count of split train must be"), embedded_service({"train": 0}):
        pass
    unknown = RenderSpec(DatasetSpec(alphabet="a中"))
    with pytest.raises(UsageError, match=r"^font .* has no glyph for"), embedded_service({"train": 1}, unknown):
        pass


def test_a_service_that_dies_in_the_block_is_logged_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    others = children()
    with embedded_service({"train": 100}, num_workers=1):
        (service,) = children() - others
        os.kill(service, signal.SIGKILL)
        # Until all its threads have ended; the first to end already looks like the end of the process.
        os.waitid(os.P_PID, service, os.WEXITED | os.WNOWAIT)
    (logged,) = caplog.messages
    assert logged.startswith("the embedded data set service ended by itself (exit code -9): ")
    assert "serving test=10000 train=100" in logged


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_leaves_no_orphan(number: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline()
    (service,) = children(parent.pid)
    wait_until(lambda: len(family_of(service)) == 2, "its fork server and its worker")
    family = [service, *family_of(service)]
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(is_alive(process) for process in family), "the service and its worker to be gone")


def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    others = children()
    with embedded_service({"train": 100}, num_workers=1) as target:
        (service,) = children() - others
        assert os.getpgid(service) != os.getpgid(0)
        time.sleep(0.1)
        assert connect(target).dataset.counts["train"] == 100
