"""Checkpoints of networks that were never trained: quick to make, and as real as any other."""

from dataclasses import asdict
from pathlib import Path

import mindspore as ms

from shared.dataset.spec import Dataset
from shared.recogniser.checkpoint import save_checkpoint, weights_digest
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec


def untrained_checkpoint(run_dir: Path, dataset: Dataset, seed: int = 1, step: int = 1) -> Path:
    """Saves a small network for `dataset` in a run directory, as if after `step` steps; returns the `.ckpt`."""
    ms.set_seed(seed)
    spec = dataset.spec
    network = CaptchaNetwork(
        NetworkSpec(height=spec.height, width=spec.width, num_classes=spec.num_classes, hidden_size=16)
    )
    weights = network.trainable_params()
    # Weights of the usual size give every image the same prediction: the blank.
    for weight in weights:
        weight.set_data(weight * 8)
    info = CheckpointInfo(
        epoch=1,
        step=step,
        global_step=step,
        elapsed_s=0.0,
        ranks=1,
        global_batch_size=64,
        fingerprint=dataset.fingerprint,
        split_count=dataset.counts["train"],
        dataset=asdict(spec),
        network=asdict(network.spec),
        config_digest="",
        weights_digest=weights_digest(weights),
    )
    return save_checkpoint(run_dir / "checkpoints", info, weights)
