import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest
from tests.datagen_server.commands.running import SMALL
from tests.datagen_server.processes import family_of, wait_until


def test_materialize_says_what_it_made_and_the_second_time_that_all_is_there(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "shards")
    assert main(["materialize", "--out", out, *SMALL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    digest = Manifest.read(shards).digest
    assert {**told, "images_per_s": 0} == {
        "made": 5,
        "kept": 0,
        "missing": 0,
        "samples": 130,
        "images_per_s": 0,
        "digest": digest,
    }
    assert main(["materialize", "--out", out, *SMALL]) == 0
    assert capsys.readouterr().out == f"{out}: all 5 shards are there already, nothing to do; digest {digest}\n"


def test_ctrl_c_is_one_line_and_leaves_finished_shards_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datagen_server", "materialize", "--out", str(tmp_path), "--shard-size", "100"]
    process = subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(tmp_path.glob("*.lmdb")), "the first shard", timeout_s=60)
    workers = family_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (130, "datagen_server: interrupted\n")
    assert not list(tmp_path.glob(".*.partial"))
    assert not (tmp_path / MANIFEST_NAME).exists()
    wait_until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers), "the workers to end")
