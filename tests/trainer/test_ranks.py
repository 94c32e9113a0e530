"""Several CPU ranks as a user starts them: the same steps as one rank, placed by their table, never left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import served
from tests.trainer.test_rank_table import table
from trainer.processes import is_alive
from trainer.receipts import Receipts

SMALL = {
    "hidden_size": 16,
    "columns_per_frame": 2,
    "captcha_width": 24,
    "captcha_height": 16,
    "global_batch_size": 8,
    "log_steps": 1,
    "save_checkpoint_steps": 5,
}
STEPS = 20
GONE_WITHIN_S = 15


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served() as target:
        yield target


def _command(target: str, run_dir: Path, *more: str) -> list[str]:
    keys = [part for key, value in SMALL.items() for part in ("-o", f"{key}={value}")]
    return [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), *keys, *more]


def _train(target: str, run_dir: Path, *more: str) -> dict[str, Any]:
    command = _command(target, run_dir, "--json", *more)
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _start(target: str, run_dir: Path, *more: str) -> subprocess.Popen[bytes]:
    """Its words go to `_words`."""
    with _words(run_dir).open("w") as words:
        return subprocess.Popen(_command(target, run_dir, *more), stdout=subprocess.DEVNULL, stderr=words)


def _words(run_dir: Path) -> Path:
    return run_dir.with_name(f"{run_dir.name}.stderr")


def _metrics(run_dir: Path) -> list[dict[str, Any]]:
    file = run_dir / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _wait_for_step(launcher: subprocess.Popen[bytes], run_dir: Path, step: int) -> None:
    while launcher.poll() is None and len(_metrics(run_dir)) < step:
        time.sleep(0.02)
    assert launcher.poll() is None, _words(run_dir).read_text()


def _pids(run_dir: Path) -> dict[str, int]:
    """Of all processes of the run: "0", "1", "scheduler"."""
    files = (run_dir / "logs").glob("process-*.jsonl")
    return {file.stem.removeprefix("process-"): json.loads(file.read_text().split("\n")[0])["pid"] for file in files}


def _seconds_until_gone(launcher: subprocess.Popen[bytes], pids: dict[str, int]) -> float:
    started = time.monotonic()
    while launcher.poll() is None or any(is_alive(pid) for pid in pids.values()):
        assert time.monotonic() < started + GONE_WITHIN_S, "something is left behind"
        time.sleep(0.02)
    return time.monotonic() - started


def test_two_ranks_placed_by_a_table_take_the_steps_of_one(service: str, tmp_path: Path) -> None:
    values = table(2)
    for device, rank, number in zip(values["server_list"][0]["device"], "10", "45", strict=True):
        device |= {"rank_id": rank, "device_id": number}
    (tmp_path / "rank_table.json").write_text(json.dumps(values))
    one, two = tmp_path / "one", tmp_path / "two"
    _train(service, one, "--steps", str(STEPS))
    summary = _train(service, two, "--steps", str(STEPS), "--rank-table", str(tmp_path / "rank_table.json"))
    assert [row["loss"] for row in _metrics(two)] == pytest.approx([row["loss"] for row in _metrics(one)], rel=1e-4)
    assert [len(row["rank_wait_shares"]) for row in _metrics(two)] == [2] * STEPS
    assert json.loads((Path(summary["checkpoint"]).with_suffix(".json")).read_text())["ranks"] == 2
    found = [Receipts(run_dir).prove() for run_dir in (one, two)]
    assert [(proof.ranks, proof.delivered, proof.holds) for proof in found] == [(1, 160, True), (2, 160, True)]
    assert found[0].digest == found[1].digest
    first_news = (two / "logs" / "process-0.jsonl").read_text().splitlines()
    assert '"rank": 1' in first_news[1]  # The table gives its first device to rank 1.


def test_a_killed_rank_is_named_nothing_is_left_and_one_rank_goes_on(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    launcher = _start(service, run_dir, "--ranks", "2", "--steps", "300")
    _wait_for_step(launcher, run_dir, 8)
    pids = _pids(run_dir)
    assert set(pids) == {"0", "1", "scheduler"}
    os.kill(pids["1"], signal.SIGKILL)
    _seconds_until_gone(launcher, pids)
    assert launcher.returncode == 1
    assert "trainer: rank 1 died without a word, killed or out of memory; its log is" in _words(run_dir).read_text()
    _train(service, run_dir, "--resume")
    proof = Receipts(run_dir).prove()
    assert (proof.steps, proof.ranks, proof.restarts, proof.holds) == (300, 1, 1, True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ranks", "0"], "--ranks must be at least 1, got 0"),
        (["--ranks", "3"], "global_batch_size must be a multiple of ranks (3), got 8"),
        (["--rank-table", "none.json"], "cannot read the rank table none.json: No such file or directory"),
        (["--ranks", "2", "--node-rank", "1"], "--node-rank is for runs on several hosts; pass it with --rank-table"),
        (["--ranks", "2", "--rank-table", "x"], "argument --rank-table: not allowed with argument --ranks"),
    ],
)
def test_bad_input_is_one_line_and_starts_no_rank(service: str, tmp_path: Path, more: list[str], message: str) -> None:
    command = _command(service, tmp_path / "run", *more)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def _end(launcher: subprocess.Popen[bytes], pids: dict[str, int], what: str) -> None:
    if what in pids:
        os.kill(pids[what], signal.SIGKILL)
    else:
        launcher.send_signal({"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}.get(what, signal.SIGKILL))


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "exit_code"),
    [("0", 1), ("1", 1), ("scheduler", 1), ("launcher", -9), ("SIGTERM", 143), ("Ctrl-C", 130)],
)
def test_whatever_ends_a_run_everything_is_gone_in_seconds(
    service: str, tmp_path: Path, what: str, exit_code: int
) -> None:
    run_dir = tmp_path / "run"
    launcher = _start(service, run_dir, "--ranks", "2", "--steps", "1000000")
    _wait_for_step(launcher, run_dir, 3)
    pids = _pids(run_dir)
    _end(launcher, pids, what)
    gone_s = _seconds_until_gone(launcher, pids)
    assert launcher.returncode == exit_code
    print(f"\n{what}: everything gone after {gone_s:.1f} s, exit code {exit_code}")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_ranks_killed_at_random_points_end_with_the_same_weights(service: str, tmp_path: Path) -> None:
    whole = _train(service, tmp_path / "whole", "--ranks", "2", "--steps", "100")
    points = random.Random(0).sample(range(1, 100), 5)
    for point in points:
        run_dir = tmp_path / str(point)
        launcher = _start(service, run_dir, "--ranks", "2", "--steps", "100")
        _wait_for_step(launcher, run_dir, point)
        pids = _pids(run_dir)
        launcher.kill()
        _seconds_until_gone(launcher, pids)
        resumed = _train(service, run_dir, "--ranks", "2", "--resume")
        assert resumed["weights_digest"] == whole["weights_digest"]
        assert Receipts(run_dir).prove().holds
    print(f"\nSIGKILL of 2 ranks at steps {sorted(points)} of 100, resumed: bit-identical weights each time")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_run_goes_on_from_two_to_four_to_one_rank(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    for number, ranks in enumerate((2, 4)):
        launcher = _start(service, run_dir, "--ranks", str(ranks), *(["--resume"] if number else []), "--steps", "100")
        _wait_for_step(launcher, run_dir, 30 * (number + 1))
        pids = _pids(run_dir)
        launcher.kill()
        _seconds_until_gone(launcher, pids)
    _train(service, run_dir, "--resume")
    proof = Receipts(run_dir).prove()
    assert (proof.delivered, proof.restarts, proof.holds) == (800, 2, True)
    print(f"\n2 -> 4 -> 1 ranks: {proof.delivered} delivered, {proof.missing} missing, {proof.duplicated} duplicated")


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


@pytest.mark.long
def test_two_hosts_take_their_ranks_from_one_table(two_hosts: None, tmp_path: Path) -> None:
    values = table(1, 1)
    for server, address, rank in zip(values["server_list"], HOSTS.values(), "10", strict=True):
        server["server_id"], server["device"][0]["rank_id"] = address, rank
    (tmp_path / "rank_table.json").write_text(json.dumps(values))
    run_dir = tmp_path / "run"
    more = "--rank-table", str(tmp_path / "rank_table.json"), "--steps", str(STEPS)
    inside = [["ip", "netns", "exec", name, sys.executable, "-m"] for name in HOSTS]
    services = [subprocess.Popen([*host, "tests.toy_server", "39300"], stdin=subprocess.PIPE) for host in inside]
    command = _command("127.0.0.1:39300", run_dir, *more)[2:]
    launchers = [subprocess.Popen([*host, *command], stdout=subprocess.DEVNULL) for host in inside]
    assert [launcher.wait(200) for launcher in launchers] == [0, 0]
    for service in services:
        service.communicate()
    proof = Receipts(run_dir).prove()
    assert (proof.ranks, proof.steps, proof.holds) == (2, STEPS, True)
    assert '"rank": 1' in (run_dir / "logs" / "node-0" / "process-0.jsonl").read_text()
