"""Images/s into the memory of a GPU, by PyTorch's DataLoader and by JAX, and a CRNN in PyTorch trained on it from
captchas that are rendered meanwhile.

    python -m tests.benchmarks.clients.bench_gpu [--device cuda] [--workers N ...] [--steps N] [--seconds S]

For an environment with PyTorch, JAX and what `datagen_server` needs. Each part is a process of its own.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from shared.client import Batch, DatasetClient, connect
from tests.support.services import ServiceProcess

_BATCH_SIZE, _TRAIN_BATCH_SIZE = 256, 128
_WARM_UP_STEPS = 20
_SIZE = 32, 80
"Height and width of the images that the CRNN is given."


def main() -> None:
    """Prints the table, then one JSON line."""
    options = _options()
    if options.part:
        print(json.dumps(_PARTS[options.part](options)), flush=True)
        os._exit(0)  # Loader workers may still wait for their turn.
    results = []
    with tempfile.TemporaryDirectory() as folder:
        make = [sys.executable, "-m", "datagen_server", "materialize", "--out", f"{folder}/shards"]
        subprocess.run([*make, "--count", f"train={options.samples}", "test=64"], check=True)
        with _service("--shards", f"{folder}/shards") as service:
            results += [_measured("loader", service, options, workers) for workers in options.workers]
            results.append(_measured("jax", service, options, 0))
    workers = max(1, (os.cpu_count() or 1) - 4)
    with _service("--workers", workers, "--count", "train=50000", "test=10000") as service:
        results.append(_measured("train", service, options, 0))
    table = Table("", "figures", title=f"into {results[0]['device']}, {os.cpu_count()} cores")
    for result in results:
        table.add_row(result["part"], ", ".join(f"{name} {value}" for name, value in result.items() if name != "part"))
    Console().print(table)
    print(json.dumps({"benchmark": "gpu", "results": results}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="PyTorch's; default %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 8], help="of DataLoader; default 0 2 8")
    parser.add_argument("--steps", type=int, default=3000, help="of training; default %(default)s")
    parser.add_argument("--seconds", type=float, default=4, help="of reading; default %(default)s")
    parser.add_argument("--samples", type=int, default=65_536, help="in the shards; default %(default)s")
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    return parser.parse_args()


def _service(*arguments: object) -> ServiceProcess:
    options = "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin"
    return ServiceProcess("datagen_server", *options, *map(str, arguments))


def _measured(part: str, service: ServiceProcess, options: argparse.Namespace, workers: int) -> dict[str, Any]:
    own = ["--part", part, "--target", service.target, "--workers", str(workers)]
    rest = ["--device", options.device, "--steps", str(options.steps), "--seconds", str(options.seconds)]
    command = [sys.executable, "-m", "tests.benchmarks.clients.bench_gpu", *own, *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"part": part, **json.loads(done.stdout.splitlines()[-1])}


def _rate(batches: Iterator[int], settle: Callable[[], object], seconds: float) -> int:
    """Images/s of what `batches` gives the sizes of, after a tenth of the time to warm up."""
    begin = time.monotonic() + seconds / 10
    for _ in batches:
        if time.monotonic() > begin:
            break
    settle()
    started, images = time.monotonic(), 0
    for size in batches:
        images += size
        if time.monotonic() > started + seconds:
            break
    settle()
    return round(images / (time.monotonic() - started))


def _loader(options: argparse.Namespace) -> dict[str, Any]:
    torch: Any = import_module("torch")
    adapter = import_module("shared.client.adapters.torch_dataset")
    (workers,) = options.workers
    dataset = adapter.CaptchaIterableDataset(options.target, "train", global_batch_size=_BATCH_SIZE)
    how = {"persistent_workers": True, "multiprocessing_context": "spawn", "prefetch_factor": 8} if workers else {}
    is_gpu = options.device != "cpu"
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers, pin_memory=is_gpu, **how)

    def batches() -> Iterator[int]:
        for epoch in count():
            dataset.set_epoch(epoch)
            for batch in loader:
                yield len(batch["images"].to(options.device, non_blocking=True))

    settle = torch.cuda.synchronize if is_gpu else int
    device = torch.cuda.get_device_name(0) if is_gpu else "cpu"
    return {"workers": workers, "images_per_s": _rate(batches(), settle, options.seconds), "device": device}


def _jax(options: argparse.Namespace) -> dict[str, Any]:
    jax: Any = import_module("jax")
    iterator = import_module("shared.client.adapters.jax_iterator").DeviceIterator
    last: list[Any] = []

    def batches(client: DatasetClient) -> Iterator[int]:
        for epoch in count():
            with client.stream("train", epoch=epoch, global_batch_size=_BATCH_SIZE) as stream:
                for images, _ in iterator(stream):
                    last[:] = [images]
                    yield len(images)

    with connect(options.target) as client:
        rate = _rate(batches(client), lambda: jax.block_until_ready(last), options.seconds)
    return {"images_per_s": rate, "device": str(jax.devices()[0])}


def _train(options: argparse.Namespace) -> dict[str, Any]:
    with connect(options.target) as client:
        crnn = _Crnn(client.dataset.spec.alphabet, options.device, options.steps)
        num_epochs = -(-options.steps // (client.dataset.counts["train"] // _TRAIN_BATCH_SIZE))
        epochs = range(num_epochs)
        requests = (client.request("train", epoch=epoch, global_batch_size=_TRAIN_BATCH_SIZE) for epoch in epochs)
        batches = iter(client.open_streams(requests, prefetch=8))
        for _ in range(_WARM_UP_STEPS):
            crnn.step(next(batches))
        started, waited = time.monotonic(), 0.0
        for _ in range(options.steps - _WARM_UP_STEPS):
            asked = time.monotonic()
            batch = next(batches)
            waited += time.monotonic() - asked
            loss = crnn.step(batch)
        loss, seconds = float(loss), time.monotonic() - started
        with client.stream("test", shuffle=False, global_batch_size=500) as stream:
            right = [text == truth for batch in stream for text, truth in crnn.read(batch)]
    return {
        "steps": options.steps,
        "images_per_s": round((options.steps - _WARM_UP_STEPS) * _TRAIN_BATCH_SIZE / seconds),
        "seconds": round(seconds, 1),
        "share_waited": round(waited / seconds, 3),
        "loss": round(loss, 5),
        "exact_match": round(sum(right) / len(right), 4),
    }


class _Crnn:
    """The network of `peer_crnn` on a device."""

    def __init__(self, alphabet: str, device: str, num_steps: int) -> None:
        self._torch: Any = import_module("torch")
        peer = import_module("tests.benchmarks.training.peer_crnn")
        self._torch.manual_seed(0)
        self._alphabet, self._device = alphabet, device
        self._network = peer.Network(len(alphabet) + 1)
        self._network.layers.to(device)
        self._optimizer = self._torch.optim.AdamW(self._network.layers.parameters(), lr=2e-3, weight_decay=1e-2)
        self._num_steps = num_steps
        self._schedule = self._torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)
        self._loss = self._torch.nn.CTCLoss(zero_infinity=True)

    def step(self, batch: Batch) -> Any:
        """Takes one step; returns the loss, on the device."""
        labels = batch.labels.astype(np.int64)
        is_character = labels < len(self._alphabet)
        targets = self._torch.from_numpy(labels[is_character] + 1).to(self._device)
        lengths = self._torch.from_numpy(is_character.sum(1))
        logits = self._logits(batch.images).log_softmax(2)
        loss = self._loss(logits, targets, self._torch.full((len(batch),), len(logits)), lengths)
        self._optimizer.zero_grad()
        loss.backward()
        self._torch.nn.utils.clip_grad_norm_(self._network.layers.parameters(), 5.0)
        self._optimizer.step()
        self._schedule.step()
        return loss.detach()

    def read(self, batch: Batch) -> Iterator[tuple[str, str]]:
        """(text, truth) of each sample."""
        self._network.layers.eval()
        with self._torch.no_grad():
            paths = self._logits(batch.images).argmax(2).T.tolist()
        for path, label in zip(paths, batch.labels.tolist(), strict=True):
            kept = [value for before, value in zip([0, *path], path, strict=False) if value and value != before]
            truth = [self._alphabet[value] for value in label if value < len(self._alphabet)]
            yield "".join(self._alphabet[value - 1] for value in kept), "".join(truth)

    def _rate(self, step: int) -> float:
        return min((step + 1) / 100, 0.5 * (1 + math.cos(math.pi * min(1.0, step / self._num_steps))))

    def _logits(self, images: NDArray[np.uint8]) -> Any:
        values = self._torch.from_numpy(images.copy()).to(self._device, non_blocking=True).permute(0, 3, 1, 2).float()
        values = (self._torch.nn.functional.interpolate(values, _SIZE, mode="area") - 127) / 64
        network = self._network
        return network.classify(network.lstm(network.convolve(values).flatten(1, 2).permute(2, 0, 1))[0])


_PARTS = {"loader": _loader, "jax": _jax, "train": _train}

if __name__ == "__main__":
    main()
