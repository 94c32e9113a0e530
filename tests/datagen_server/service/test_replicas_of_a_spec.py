"""Replicas that were started from one spec file, each with a font file of its own."""

from hashlib import sha256
from pathlib import Path

import pytest

from datagen_server.rendering.glyphs import FONT_PATH
from shared.client import RetryPolicy, connect
from tests.support.services import ServiceProcess

SPEC = "styles: [{fonts: [A.ttf]}]\n"


def replica(folder: Path, font: bytes) -> ServiceProcess:
    folder.mkdir()
    (folder / "A.ttf").write_bytes(font)
    (folder / "spec.yaml").write_text(SPEC)
    return ServiceProcess("datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--spec", str(folder / "spec.yaml"))


def test_replicas_of_one_spec_file_agree_and_one_with_another_font_is_refused_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    font = Path(FONT_PATH).read_bytes()
    other = font + b"\0"
    with (
        replica(tmp_path / "first", font) as first,
        replica(tmp_path / "second", font) as second,
        replica(tmp_path / "third", other) as third,
    ):
        targets = f"{first.target},{second.target},{third.target}"
        with connect(targets, RetryPolicy(connect_timeout_s=30)) as client:
            for rank in range(2):
                with client.stream("test", rank=rank, ranks=3, global_batch_size=12, num_steps=2) as stream:
                    assert len(list(stream)) == 2
                    assert stream.reopened == 0
            with client.stream("test", rank=2, ranks=3, global_batch_size=12, num_steps=2) as stream:
                assert len(list(stream)) == 2
                assert stream.reopened == 1
    here, there = (sha256(data).hexdigest()[:16] for data in (font, other))
    named = f"the bytes of font A.ttf: SHA-256 {there}... there, SHA-256 {here}... here"
    refusals = [record.getMessage() for record in caplog.records if "fingerprint must be" in record.getMessage()]
    assert [message.startswith(third.target) for message in refusals] == [True]
    assert named in refusals[0]
