"""Standard error that is full or closed never ends a job, and never costs it its exit code."""

import subprocess
import sys

import pytest

JOB = """if True:
    import logging, os, sys
    from shared.system.command_line import run
    from shared.system.progress import progress
    def main(_):
        print("begun", file=sys.stderr, flush=True)
        logging.getLogger().warning("a warning")
        with progress("job", 10, "things") as advance:
            for _ in range(10):
                advance(1)
        sys.stderr.write("x" * 100_000)
        free = os.open("/dev/null", os.O_RDONLY)
        print("done, next file", free > 2)
        return 3
    run(main, "job")
"""


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&- <&-", "2> >(exec true)", "2>/dev/null"])
def test_a_job_ends_as_it_would_with_a_terminal(redirection: str) -> None:
    command = ["bash", "-c", f'"{sys.executable}" -c "$0" {redirection}', JOB]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "done, next file True\n"), done.stderr


def test_a_full_standard_output_still_counts() -> None:
    command = ["bash", "-c", f'"{sys.executable}" -c "$0" >/dev/full', JOB]
    assert subprocess.run(command, capture_output=True, check=False).returncode not in (0, 3)
