"""A reader that knows nothing but the proto agrees with ours on every byte, and gets every promised status."""

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.client import connect
from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice, Remainder
from shared.dataset.spec import DatasetSpec
from tests.contract.node_client import ended, needs_node, run, start
from tests.support.certificates import TOKEN, Office, guarded
from tests.support.services import ServiceProcess, served
from tests.support.toys import TOY_FINGERPRINT, TOY_SPEC, ToySource, toy_samples

pytestmark = needs_node
SEED, EPOCH, SIZE = 5, 3, 64


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with served(ToySource(counts={"train": 1000, "large": 2**48})) as target:
        yield target


def expected(remainder: Remainder, ranks: int = 1, spec: DatasetSpec = TOY_SPEC) -> dict[str, Any]:
    """What an epoch of the toy data set comes to, computed without any service."""
    part = RankSlice(count=1000, global_batch_size=SIZE, ranks=ranks, remainder=remainder)
    num_samples = min(1000, part.num_steps * SIZE)
    indices = EpochOrder(1000, SEED, EPOCH).indices(np.arange(num_samples))
    images, labels = toy_samples(spec, "train", indices)
    return {
        "fingerprint": TOY_FINGERPRINT,
        "steps": [part.num_steps] * ranks,
        "indices": indices.tolist(),
        "pixels": hashlib.sha256(images.tobytes()).hexdigest(),
        "labels": hashlib.sha256(labels.astype("<u2").tobytes()).hexdigest(),
    }


def facts(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("fingerprint", "steps", "indices", "pixels", "labels")}


def test_the_order_in_the_manual_is_the_order_of_the_service() -> None:
    told = run("vectors")
    assert told == {"vectors": 5, "wrong": [], "keys": True}


@pytest.mark.parametrize("codec", ["CODEC_RAW", "CODEC_ZSTD", "CODEC_PNG"])
@pytest.mark.parametrize("ranks", [1, 4])
def test_an_epoch_in_every_codec_by_one_rank_and_by_four(target: str, ranks: int, codec: str) -> None:
    told = run("epoch", target=target, ranks=ranks, codec=codec)
    assert facts(told) == expected(Remainder.DROP, ranks)
    assert told["codecs"] == ["CODEC_RAW", "CODEC_ZSTD", "CODEC_PNG"]
    assert told["events"] == []


def test_a_short_last_batch_as_in_the_manual(target: str) -> None:
    told = run("epoch", target=target, ranks=4, remainder="REMAINDER_PAD")
    assert facts(told) == expected(Remainder.PAD, 4)


def test_single_samples(target: str) -> None:
    indices = [7, 0, 999, 7]
    with connect(target) as client:
        texts = [sample.text for sample in client.samples("train", indices)]
    for codec in ("CODEC_RAW", "CODEC_ZSTD", "CODEC_PNG"):
        told = run("samples", target=target, codec=codec, indices=indices)
        images, _ = toy_samples(TOY_SPEC, "train", np.array(indices, np.uint64))
        assert told["fingerprint"] == TOY_FINGERPRINT
        assert [(sample["index"], sample["text"]) for sample in told["samples"]] == list(
            zip(indices, texts, strict=True)
        )
        assert told["pixels"] == hashlib.sha256(images.tobytes()).hexdigest()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_reads_on_where_it_was_when_the_service_is_killed_or_drains(number: signal.Signals) -> None:
    # As large as the published size, so that flow control keeps most of it at the service.
    with ServiceProcess("tests.support.toy_server", "PORT", "--width", "320", "--height", "128") as service:
        reader = start("epoch", target=service.target, waitMs=60)
        assert reader.stdout is not None
        while json.loads(reader.stdout.readline()).get("step") != 4:
            pass
        service.end(number)
        time.sleep(0.5)
        service.start()
        told = ended(reader)
    assert facts(told) == expected(Remainder.DROP, spec=DatasetSpec(width=320, height=128))
    assert told["events"], "the service was gone, and the reader has not noticed"
    if number == signal.SIGTERM:
        assert told["events"][0]["reason"] == "DRAINING"
        assert told["events"][0]["metadata"] == {"step": str(told["events"][0]["step"])}


def test_over_a_hundred_malformed_requests_get_the_promised_code_and_field(target: str) -> None:
    told = run("refusals", target=target, maxBatch=4096)
    assert told["wrong"] == []
    assert told["refused"] >= 100
    assert set(told["unusual"]) == {"OK"}
    assert told["zipped"] == "OK"
    assert told["metadata"]["code"] == "RESOURCE_EXHAUSTED"
    assert not told["metadata"]["retry"]


def test_it_says_who_it_is_by_token_and_by_certificate(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with guarded(office.of_server(mutual=True, token=True)) as target:
        port = target.rpartition(":")[2]
        security = {"ca": str(office.ca), "cert": str(office.client_cert), "key": str(office.client_key)}
        asked = {"target": f"localhost:{port}", "security": security}
        told = run("epoch", target=asked["target"], security=security | {"token": TOKEN}, ranks=2)
        assert facts(told) == expected(Remainder.DROP, 2)
        for header, words in ((None, "wants a token"), (f"Basic {TOKEN}", "Basic"), (TOKEN, "none")):
            refused = run("describe", **asked, **({} if header is None else {"header": header}))
            assert (refused["code"], refused["reason"]) == ("UNAUTHENTICATED", "ACCESS_DENIED")
            assert words in refused["details"]
            assert not refused["retry"]
        assert run("describe", **asked, header=f"bearer {TOKEN}") == {"code": "OK"}
