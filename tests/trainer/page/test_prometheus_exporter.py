"""The Prometheus metrics of ranks: their progress, and which of them waits for data."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from tests.datagen_server.processes import wait_until
from tests.support.services import served
from tests.support.toys import ToySource

SMALL = "hidden_size=16", "captcha_width=24", "captcha_height=16", "columns_per_frame=2", "shuffle=false", "log_steps=1"


@contextmanager
def training(target: str, run_dir: Path, *more: str, keys: Sequence[str] = SMALL) -> Iterator[Path]:
    """A trainer that would run for very long; yields the file with its stderr."""
    keys = [part for value in keys for part in ("-o", value)]
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), *keys]
    stderr = run_dir.with_suffix(".stderr")
    with stderr.open("w") as file:
        trainer = subprocess.Popen(
            [*command, "--metrics-listen", "127.0.0.1:0", *more], stdout=subprocess.DEVNULL, stderr=file
        )
    try:
        yield stderr
        trainer.send_signal(signal.SIGINT)
        assert trainer.wait(60) == 130, stderr.read_text()
    finally:
        trainer.kill()
        trainer.wait()


def address_of(stderr: Path, rank: int) -> str:
    pattern = re.compile(rf"^metrics of rank {rank} on (\S+)$", re.M)
    wait_until(lambda: bool(pattern.search(stderr.read_text())), f"rank {rank} to listen", timeout_s=120)
    found = pattern.search(stderr.read_text())
    assert found
    return found[1]


def scrape(address: str) -> dict[str, tuple[dict[str, str], float]]:
    with urlopen(f"http://{address}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}


def test_a_rank_exports_its_progress_while_it_trains(tmp_path: Path) -> None:
    with served(ToySource(counts={"train": 10**9, "test": 10})) as target:
        more = "--steps", "100000000", "-o", "save_checkpoint_steps=10"
        with training(target, tmp_path / "run", *more) as stderr:
            address = address_of(stderr, 0)
            wait_until(lambda: "captcha_trainer_checkpoint_step" in scrape(address), "a checkpoint", timeout_s=120)
            found = scrape(address)
    assert found["captcha_trainer_info"][0]["ranks"] == "1"
    assert found["captcha_trainer_checkpoint_step"][1] % 10 == 0
    assert found["captcha_trainer_step"][1] >= 10
    assert found["captcha_trainer_num_steps"][1] == 100_000_000
    assert found["captcha_trainer_loss"][1] > 0
    assert found["captcha_trainer_images_per_s"][1] > 0
    assert found["captcha_trainer_reopened_streams_total"][1] == 0
    ours = [labels for name, (labels, _) in found.items() if name.startswith("captcha_trainer_")]
    assert all(labels["rank"] == "0" for labels in ours)


class SlowForRankOne(ToySource):
    """Slow for the second half of each global batch of 8, which with the order kept is rank 1's of two."""

    def __init__(self) -> None:
        super().__init__(counts={"train": 10**6, "test": 10})
        self._slow = ToySource(delay_s=0.3)

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        return self._slow.read(split, indices, codec) if indices[0] % 8 >= 4 else super().read(split, indices, codec)

    def close(self) -> None:
        super().close()
        self._slow.close()


@pytest.mark.long
def test_the_rank_of_two_that_waits_for_data_is_the_one_that_shows(tmp_path: Path) -> None:
    with served(SlowForRankOne()) as target:
        more = "--ranks", "2", "-o", "global_batch_size=8", "--steps", "100000"
        with training(target, tmp_path / "run", *more) as stderr:
            addresses = [address_of(stderr, rank) for rank in (0, 1)]
            wait_until(lambda: scrape(addresses[0])["captcha_trainer_step"][1] >= 10, "10 steps", timeout_s=120)
            first = [scrape(address) for address in addresses]
            wait_until(
                lambda: scrape(addresses[0])["captcha_trainer_step"][1] >= first[0]["captcha_trainer_step"][1] + 20,
                "20 more steps",
                timeout_s=120,
            )
            last = [scrape(address) for address in addresses]
    name = "captcha_trainer_wait_seconds_total"
    waited_s = [after[name][1] - before[name][1] for before, after in zip(first, last, strict=True)]
    print(f"\nseconds waited for data by rank: {waited_s[0]:.2f} {waited_s[1]:.2f}")
    assert waited_s[1] > 3 * waited_s[0]
