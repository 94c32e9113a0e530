"""What a job shows of its progress where standard error is no terminal."""

import pytest

from shared.system import progress as progress_module
from shared.system.progress import announced, progress


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "PLAIN_INTERVAL_S", 0.0)
    with progress("verify", 2000, "records") as advance:
        advance(1500)
    assert capsys.readouterr().err.startswith("verify: 1,500/2,000 records, ")


def test_what_ends_at_once_is_not_announced_and_what_lasts_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with announced("compiling"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress_module, "_FIRST_LINE_S", 0.0)
    lines = ""
    with announced("compiling"):
        while not lines:
            lines = capsys.readouterr().err
    assert lines == "compiling\n"
