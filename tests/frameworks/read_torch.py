"""`python -m tests.frameworks.read_torch JSON`: reads through a PyTorch loader; tells what came, as JSON."""

import hashlib
import json
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from shared.client.adapters.torch_dataset import CaptchaIterableDataset


def main(
    target: str,
    *,
    workers: int = 0,
    context: str | None = None,
    stop_after: int | None = None,
    state: str | None = None,
    loader: str = "plain",
    epochs: Sequence[int] = (0,),
    **options: Any,
) -> dict[str, Any]:
    """Workers stay for all epochs. state: a file, read first if it is there, and written where reading stops early."""
    dataset = CaptchaIterableDataset(target, "train", **options)
    saved = pickle.loads(Path(state).read_bytes()) if state and Path(state).exists() else None  # noqa: S301
    dataset.set_epoch(epochs[0])
    if saved and loader == "plain":
        dataset.load_state_dict(saved)
    make = StatefulDataLoader if loader == "stateful" else DataLoader
    batches = make(
        dataset,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context if workers else None,
        persistent_workers=len(epochs) > 1,
    )
    if saved and loader == "stateful":
        batches.load_state_dict(saved)
    expected, got = len(dataset), []
    pixels = hashlib.sha256()
    for epoch in epochs:
        if epoch != epochs[0]:
            dataset.set_epoch(epoch)
        for batch in batches:
            assert batch["images"].dtype == torch.uint8
            pixels.update(batch["images"].numpy().tobytes())
            got.append((batch["epoch"], batch["step"], batch["indices"].tolist()))
            if len(got) == stop_after and state:
                place = {"epoch": batch["epoch"], "step": batch["step"] + 1}
                kept = batches.state_dict() if loader == "stateful" else place
                Path(state).write_bytes(pickle.dumps(kept))
                break
    return {"batches": got, "pixels": pixels.hexdigest(), "expected": expected}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
