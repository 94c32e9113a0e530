"""What the pages show: the data set, its readers, its samples, and damage."""

import re
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from datagen_server.page.recent_faults import RecentFaults
from datagen_server.service.server import DatasetServer
from datagen_server.shards.manifest import Manifest, Plan
from datagen_server.sources.shard_source import ShardSource
from shared.client import connect
from shared.protocol.contract import SERVICE
from tests.datagen_server.page.serving import Text, get, pages, words
from tests.datagen_server.processes import wait_until
from tests.datagen_server.shards.building import build, damage_record, plan_of, with_foreign_fingerprint
from tests.support.toys import TOY_FINGERPRINT, ToySource, toy_samples


def test_the_status_page_names_the_data_set() -> None:
    with pages(ToySource()) as (address, _):
        text = words(address)
        assert text.startswith("Status - captcha data set service")
        for fact in (TOY_FINGERPRINT, "test 130", "train 1,000", "24x16 RGB", "Nobody is reading.", "Serving for"):
            assert fact in text


def test_an_open_stream_is_shown_with_its_place_and_who_waits() -> None:
    with pages(ToySource()) as (address, server), connect(str(server.listen)) as client:
        with client.stream("train", epoch=7, rank=1, ranks=2, global_batch_size=2, prefetch=1) as stream:
            for _ in range(3):
                next(stream)
            # The toy images are small: sockets and flow control swallow some hundred batches of a reader that stops.
            assert re.search(r"1 of 2 train 7 [\d,]+ of 500 [\d,]+ service \d+%, reader \d+%", words(address))
        wait_until(lambda: "Nobody is reading." in words(address), "the end of the stream")


def test_a_starved_reader_is_named_first_of_all() -> None:
    with (
        pages(ToySource(delay_s=2)) as (address, server),
        connect(str(server.listen)) as client,
        client.stream("train", rank=1, ranks=2, global_batch_size=2),
    ):
        starved = "1 of 1 reader waits for this service more than half of the time: train rank 1."
        wait_until(lambda: starved in words(address), "the starved rank")


def refuse_a_call(server: DatasetServer) -> None:
    """Sends bytes that are no request."""
    with grpc.insecure_channel(str(server.listen)) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(b"\xff")


def test_totals_finished_readers_and_refused_calls_are_shown() -> None:
    with (
        RecentFaults() as faults,
        pages(ToySource(), faults) as (address, server),
        connect(str(server.listen)) as client,
    ):
        before = words(address)
        assert "Nothing has been read." in before
        assert "No stream has ended yet." in before
        with client.stream("test", shuffle=False, global_batch_size=10) as stream:
            assert len(list(stream)) == 13
        refuse_a_call(server)
        wait_until(lambda: "No stream has ended yet." not in words(address), "the end of the stream")
        after = words(address)
        assert re.search(r"Since the start .* test 130 [\d.]+ 0 1 ", after)
        assert re.search(r"Finished readers .* 0 of 1 test 0 130 [\d,]+ [\d.]+ s done [\d.]+ s ago", after)
        assert re.search(r"Recent faults .*[\d.]+ s ago request \S+ of .* ended with INVALID_ARGUMENT", after)


def test_samples_are_those_of_the_source() -> None:
    with pages(ToySource()) as (address, _):
        status, html = get(address, "/samples?split=test&first=100&count=48")
        assert status == 200
        found = Text(html).pictures
        images, _ = toy_samples(ToySource().dataset.spec, "test", np.arange(100, 130, dtype=np.uint64))
        assert len(found) == 30
        for picture, image in zip(found, images, strict=True):
            with Image.open(BytesIO(b64decode((picture["src"] or "").removeprefix("data:image/png;base64,")))) as png:
                assert np.array_equal(np.asarray(png), image)


@pytest.mark.parametrize("make", [build, with_foreign_fingerprint])
def test_damage_is_shown_by_shard_and_a_refused_sample_among_its_neighbours(
    make: Callable[[Path, Plan], Manifest], tmp_path: Path
) -> None:
    plan = plan_of(counts={"train": 40}, shard_size=20)
    manifest = make(tmp_path, plan)
    file, is_refused = plan.shards[0].file, make is with_foreign_fingerprint
    damage_record(tmp_path, manifest.plan, plan.shards[0], 1)
    with pages(ShardSource(tmp_path)) as (address, _):
        assert "No damaged record has been read." in words(address)
        html = get(address, "/samples?split=train&count=3")[1]
        assert len(Text(html).pictures) == (2 if is_refused else 3)
        assert (f"{file}: the record of index 1 of train is damaged or missing" in html) == is_refused
        assert f"{file} 1 {'0 1' if is_refused else '1 0'}" in words(address)


def test_a_missing_shard_is_shown_before_anybody_reads_it(tmp_path: Path) -> None:
    plan = plan_of(counts={"train": 40}, shard_size=20)
    build(tmp_path, plan)
    (tmp_path / plan.shards[1].file).unlink()
    with pages(ShardSource(tmp_path)) as (address, _):
        assert f"1 shard file is missing: {plan.shards[1].file} ( verify --repair makes them again)" in words(address)
