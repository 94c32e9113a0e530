"""Training from a service that wants certificates and a token; nothing a run leaves behind knows the token."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.security.credentials import Security
from tests.support.certificates import TOKEN, Office, guarded

SECRET = TOKEN.encode()
SMALL = "hidden_size=16", "columns_per_frame=2", "captcha_width=24", "captcha_height=16", "global_batch_size=8"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def target(office: Office) -> Iterator[str]:
    with guarded(office.of_server(mutual=True, token=True)) as target:
        yield target


def _command(target: str, security: Security, run_dir: Path, *more: str) -> list[str]:
    keys = [part for override in SMALL for part in ("-o", override)]
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir)]
    return [*command, *security.arguments(), *keys, *more]


def _command_lines() -> Iterator[bytes]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes()
        except OSError:  # It has just ended.
            continue


def test_a_trainer_without_the_token_ends_with_one_line_before_a_run_is_there(
    office: Office, target: str, tmp_path: Path
) -> None:
    papers = Security(tls_ca=office.ca, tls_cert=office.client_cert, tls_key=office.client_key)
    # With two ranks nothing waits for MindSpore to be imported.
    command = _command(target, papers, tmp_path / "run", "--ranks", "2")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"trainer: {target}: this service wants a token")
    assert line.endswith("--token-file")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
@pytest.mark.parametrize("ranks", [1, 2])
def test_ranks_show_their_papers_and_the_token_is_found_nowhere(
    office: Office, target: str, tmp_path: Path, ranks: int
) -> None:
    run_dir, log, shown = tmp_path / "run", tmp_path / "log", 0
    command = _command(target, office.mutual, run_dir, "--steps", "20", "--ranks", str(ranks), "--json")
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as trainer:
        while trainer.poll() is None:
            lines = list(_command_lines())
            assert not any(SECRET in line for line in lines)
            shown = max(shown, sum(str(office.token_file).encode() in line for line in lines))
            time.sleep(0.1)
    assert trainer.returncode == 0, log.read_text()
    # The trainer, and each rank that it started.
    assert shown >= (1 if ranks == 1 else 1 + ranks)
    files = [log, *(path for path in run_dir.rglob("*") if path.is_file())]
    assert len(files) > 4
    assert not [path for path in files if SECRET in path.read_bytes()]
