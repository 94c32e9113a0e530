"""Processes that end with their parents."""

import subprocess
import sys
import time

from trainer.distributed.processes import children, is_alive, kill_all


def test_a_process_ends_with_its_parent_even_when_that_is_killed() -> None:
    child = "import os, time; from shared.system.linux import die_with_parent; die_with_parent(os.getppid())"
    child += "; print(os.getpid(), flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_killed_processes_are_gone_and_dead_ones_are_ignored() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        kill_all([process.pid])
        assert not is_alive(process.pid)
        kill_all([process.pid])


def test_the_children_of_a_process_are_those_that_it_has_not_reaped() -> None:
    parent = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1)"
    parent += "; print(child.pid, flush=True); input(); child.communicate(); print('reaped', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", parent], text=True, **pipes) as process:  # type: ignore[call-overload]
        child = int(process.stdout.readline())
        assert children(process.pid) == [child]
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "reaped\n"
        assert children(process.pid) == []
        process.kill()
    assert children(process.pid) == []
