"""`python -m tests.frameworks.read_jax JSON`: reads onto a JAX device and tells what came, as one JSON object."""

import hashlib
import json
import sys
from typing import Any

import jax
import numpy as np

from shared.client import connect
from shared.client.adapters.jax_iterator import DeviceIterator


def main(target: str, *, stop_after: int = 0, state: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """state: where to begin; told again after `stop_after` batches."""
    pixels, got = hashlib.sha256(), []
    with connect(target) as client, client.stream("train", **options) as stream:
        batches = DeviceIterator(stream, ahead=3)
        if state:
            batches.load_state_dict(state)
        for images, labels in batches:
            assert batches.batch is not None
            assert isinstance(images, jax.Array)
            assert np.array_equal(labels, batches.batch.labels)
            pixels.update(np.asarray(images).tobytes())
            got.append((batches.batch.epoch, batches.batch.step, batches.batch.indices.tolist()))
            if len(got) == stop_after:
                break
        return {"batches": got, "pixels": pixels.hexdigest(), "state": batches.state_dict()}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
