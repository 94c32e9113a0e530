"""The presets: where the values of a configuration come from that nobody gave. Plain data, for the parser too."""

from collections.abc import Mapping
from typing import Any

_ZOO: Mapping[str, Any] = {
    # The published example's table. The other keys of it have the same values in both presets.
    "epoch_size": 30,
    "hidden_size": 512,
    "learning_rate": 0.01,
    "save_checkpoint_steps": 97,
    # From its code, where that differs from its table.
    "steps": None,
    "train_samples": 50_000,
    "warmup_steps": 0,
    "optimizer": "sgd",
    "decay_epochs": 10,
    "scale_learning_rate": True,
    "loss_reduction": "sum",
    "clip_norm": 10.0,
    "clip_each_rank": True,
    "columns_per_frame": 1,
    "second_layer": "forward",
    "pixels": "colour",
    "initial_weights": "uniform",
}
_CRNN: Mapping[str, Any] = {
    # For captchas of any kind.
    "features": "convolution",
    "batch_size": 32,
    "hidden_size": 128,
    "second_layer": "parallel",
    "initial_weights": "small",
    "learning_rate": 0.005,
    "warmup_steps": 150,
    "beta2": 0.99,
    "clip_norm": 20.0,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"fast": {}, "crnn": _CRNN, "zoo": _ZOO}
