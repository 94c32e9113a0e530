"""Progress on a terminal, which moves from the first step on, and in a file."""

import os
import pty
import re
import select
import subprocess
import sys

import pytest

from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import MetricsRow

# A training that compiles for a second, then takes steps, with a log line after the last one.
_SCRIPT = """
import time
from tests.trainer.progress.test_terminal import row_of
from trainer.progress.terminal import TrainingProgress

with TrainingProgress() as progress:
    progress.begin(0, 400)
    time.sleep(1)
    for done in range(1, 26):
        time.sleep(0.1)
        progress.step(done, 12.5 / done)
    progress.log(row_of(25))
    time.sleep(0.5)
"""


def row_of(step: int) -> MetricsRow:
    return MetricsRow(
        step=step,
        epoch=1,
        loss=0.5,
        grad_norm=2.0,
        lr=0.5,
        images_per_s=640.0,
        wait_share=0.25,
        elapsed_s=step * 1.5,
        rank_wait_shares=[0.25],
        valid_accuracy=None,
    )


def on_a_terminal(script: str, columns: int = 80) -> str:
    """What a Python script prints on stderr, a terminal, without the colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=theirs, stdout=subprocess.DEVNULL, env=environment
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.wait(60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_a_bar_says_compiling_and_then_moves_with_the_time_left_long_before_a_log_line() -> None:
    frames = re.split(r"[\r\n]+", on_a_terminal(_SCRIPT))
    assert not any("nan" in frame for frame in frames)
    assert any(re.search(r"0/400 compiling the network", frame) for frame in frames)
    places = [
        int(found[1]) for frame in frames if (found := re.search(r" (\d+)/400 loss [\d.]+ +\d+:\d\d left", frame))
    ]
    assert len(set(places)) >= 2
    assert places[0] < 20
    assert any("25/400 loss 0.5000  640 images/s  wait 25.0%" in frame for frame in frames)
    assert max(map(len, frames)) <= 80


def test_a_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress() as progress:
        progress.begin(0, 100)
        for done in range(1, 51):
            progress.step(done, 1.0)
        progress.log(row_of(50))
    first, compiling, line = capsys.readouterr().err.splitlines()
    assert first.startswith("training for 100 steps on ")
    assert compiling == "compiling the network"
    assert re.fullmatch(r"step +50/100  loss +0\.5000 +640 images/s  wait 25\.0%  0:00 left", line)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_long_numbers_leave_the_bar_on_one_line_with_how_far_and_how_long_whole(columns: int) -> None:
    script = """if True:
        import time
        from dataclasses import replace
        from tests.trainer.progress.test_terminal import row_of
        from trainer.progress.terminal import TrainingProgress

        with TrainingProgress() as progress:
            progress.begin(0, 200_000)
            for done in (99_990, 100_000):
                time.sleep(1.1)
                progress.step(done, 12.5)
            row = row_of(100_000)
            progress.log(replace(row, loss=12.5, images_per_s=12_345.0, rank_wait_shares=[0.1, 0.123]))
            time.sleep(0.5)
    """
    last = [line for line in re.split(r"[\r\n]+", on_a_terminal(script, columns)) if line.strip()][-1]
    assert len(last) <= columns
    assert re.search(r" 100000/200000 loss .*…? \d+:\d\d left$", last.rstrip())
