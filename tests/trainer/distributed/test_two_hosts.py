"""Two hosts, each with a rank of one table: two network namespaces with a cable between them; needs root."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.distributed.tables.rank_tables import table
from tests.trainer.distributed.test_collectives import KEYS
from tests.trainer.jobs import GONE_WITHIN_S, Job
from trainer.audit.exactly_once import Receipts

pytestmark = pytest.mark.long

STEPS = 20
HOSTS = {"captcha-a": "10.77.0.1", "captcha-b": "10.77.0.2"}


def _ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def two_hosts() -> Iterator[None]:
    """Two network namespaces with a cable between them; needs root."""
    try:
        if not all(_ip("netns", "add", name) for name in HOSTS):
            pytest.skip("network namespaces cannot be made here")
        _ip("link", "add", "captcha-va", "type", "veth", "peer", "name", "captcha-vb")
        for name, address in HOSTS.items():
            _ip("link", "set", f"captcha-v{name[-1]}", "netns", name)
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", f"captcha-v{name[-1]}")
            for link in ("lo", f"captcha-v{name[-1]}"):
                _ip("-n", name, "link", "set", link, "up")
        yield
    finally:
        for name in HOSTS:
            _ip("netns", "del", name)


@pytest.fixture
def service(two_hosts: None) -> Iterator[str]:
    """The same data set on the loopback address of each host."""
    command = [sys.executable, "-m", "tests.support.toy_server", "39300"]
    servers = [subprocess.Popen(["ip", "netns", "exec", name, *command], stdin=subprocess.PIPE) for name in HOSTS]
    yield "127.0.0.1:39300"
    for server in servers:
        server.communicate()


def _start(service: str, folder: Path, steps: int) -> list[Job]:
    """The same command on both hosts; the table gives rank 1 to the first."""
    values = table(1, 1)
    for server, address, rank in zip(values["server_list"], HOSTS.values(), "10", strict=True):
        server["server_id"], server["device"][0]["rank_id"] = address, rank
    (folder / "rank_table.json").write_text(json.dumps(values))
    more = "--datagen", service, *KEYS, "--rank-table", str(folder / "rank_table.json"), "--steps", str(steps)
    return [Job(folder / "run", *more, host=name) for name in HOSTS]


def test_two_hosts_take_their_ranks_from_one_table(service: str, tmp_path: Path) -> None:
    jobs = _start(service, tmp_path, STEPS)
    for job in jobs:
        job.end()
        assert job.launcher.returncode == 0, job.stderr
    proof = Receipts(tmp_path / "run").prove()
    assert (proof.ranks, proof.steps, proof.holds) == (2, STEPS, True)
    assert '"rank": 1' in (tmp_path / "run" / "logs" / "node-0" / "process-0.jsonl").read_text()


def _start_by_name(service: str, folder: Path, master_addr: str) -> list[Job]:
    """With a table of names, without any address."""
    values = table(1, 1)
    for number, server in enumerate(values["server_list"]):
        server["server_id"] = f"node_{number}"
    (folder / "rank_table.json").write_text(json.dumps(values))
    same = "--datagen", service, *KEYS, "--rank-table", str(folder / "rank_table.json"), "--steps", str(STEPS)
    by_host = (("--node-rank", str(number), "--master-addr", master_addr) for number in range(2))
    return [Job(folder / "run", *same, *more, host=name) for name, more in zip(HOSTS, by_host, strict=True)]


def test_two_hosts_without_addresses_take_their_ranks_from_their_numbers(service: str, tmp_path: Path) -> None:
    for job in _start_by_name(service, tmp_path, HOSTS["captcha-a"]):
        job.end()
        assert job.launcher.returncode == 0, job.stderr
    proof = Receipts(tmp_path / "run").prove()
    assert (proof.ranks, proof.steps, proof.holds) == (2, STEPS, True)


def test_a_master_address_that_no_host_has_ends_both_hosts_within_ten_seconds(service: str, tmp_path: Path) -> None:
    started = time.monotonic()
    for job in _start_by_name(service, tmp_path, "10.77.0.9"):
        job.end(60)
        assert job.launcher.returncode == 2
        assert "the host 10.77.0.9, where all ranks meet, cannot be reached: No route to host" in job.stderr
    print(f"\nno host has the master's address: both ended after {time.monotonic() - started:.1f} s")


@pytest.mark.parametrize("host", [0, 1])
@pytest.mark.parametrize("what", ["rank 0", "launcher"])
def test_when_one_host_loses_a_process_both_hosts_end(host: int, what: str, service: str, tmp_path: Path) -> None:
    jobs = _start(service, tmp_path, 1_000_000)
    jobs[0].wait_for_step(20)
    started = time.monotonic()
    os.kill(jobs[host].launcher.pid if what == "launcher" else jobs[host].pid(what), signal.SIGKILL)
    for job in jobs:
        job.seconds_until_gone(2 * GONE_WITHIN_S)
    gone_s = time.monotonic() - started
    print(f"\n{what} of host {host} killed: both hosts' processes gone after {gone_s:.1f} s")
    assert f"trainer: host {host} of the rank table has lost a rank or its launcher" in jobs[1 - host].stderr
    assert gone_s < GONE_WITHIN_S
