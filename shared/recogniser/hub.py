"""The interface that MindSpore Hub asks of a model: `create_network(name, *args, **kwargs)`.

    from shared.recogniser.hub import create_network

    network = create_network("warpctc")                       # the published network, with new weights
    network = create_network("warpctc", hidden_size=256)      # another shape: the fields of `NetworkSpec`
    network = create_network("warpctc", checkpoint="run")     # a trained one: its own shape, its own weights

    logits = network(images)                                  # uint8 [n, 64, 160, 3] -> float32 [160, n, 11]

Note: images go in as they are, uint8 and RGB; the network normalises them itself. New weights are drawn from
MindSpore's seed: call `mindspore.set_seed` first to get the same ones again.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from shared.recogniser.checkpoint import load_parameters
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec

NAME = "warpctc"
PUBLISHED = NetworkSpec(
    height=64,
    width=160,
    num_classes=11,
    hidden_size=512,
    columns_per_frame=1,
    second_layer="forward",
    pixels="colour",
    initial_weights="uniform",
)
"The network of the published example."


def create_network(name: str, checkpoint: str | Path | None = None, **shape: Any) -> CaptchaNetwork:
    """The network called `name`, of which there is one: "warpctc".

    checkpoint: a `.ckpt` file or a run directory, meaning its newest. Raises `NotImplementedError` for another name, as
    MindSpore Hub expects; `UsageError` for an unknown field, or a shape together with a checkpoint, which has its own;
    `DataLoss` for a damaged checkpoint.
    """
    if name != NAME:
        raise NotImplementedError(f"there is no network {name!r} here, only {NAME!r}")
    if checkpoint is None:
        return CaptchaNetwork(_shaped(shape))
    if shape:
        raise UsageError(f"{next(iter(shape))} cannot be given with a checkpoint, which has its own shape")
    path = find_checkpoint(Path(checkpoint))
    network = CaptchaNetwork(read_info(path).network_spec())
    load_parameters(path, network.trainable_params())
    return network


def _shaped(shape: dict[str, Any]) -> NetworkSpec:
    known = [field.name for field in fields(NetworkSpec)]
    if unknown := [key for key in shape if key not in known]:
        raise UsageError(f"a network has no {unknown[0]}; it has {', '.join(known)}")
    return replace(PUBLISHED, **shape)
