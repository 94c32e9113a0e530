"""The weights that a run begins with: drawn, or taken from another run's checkpoint; and which of them are frozen."""

from collections.abc import Sequence
from pathlib import Path

import mindspore as ms

from shared.errors import UsageError
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.checkpoint_weights import load_weights
from shared.recogniser.network.captcha_network import CaptchaNetwork
from trainer.training.weight_transfer import transfer_table, transfer_weights


def init_from(checkpoint: Path, network: CaptchaNetwork, alphabet: str) -> str:
    """Sets the weights of `network` that the checkpoint's fit, the classifier's by character; what was taken, in words.

    Raises `UsageError` when there is no such checkpoint or nothing of it fits, `DataLoss` when it is damaged.
    """
    info = read_info(checkpoint)
    weights = network.trainable_params()
    drawn = {weight.name: weight.asnumpy() for weight in weights}
    taken, rows = transfer_weights(load_weights(checkpoint), info.dataset_spec().alphabet, drawn, alphabet)
    for weight in weights:
        weight.set_data(ms.Tensor(taken[weight.name]))
    return f"initial weights from {checkpoint} (step {info.global_step:,}):\n{transfer_table(rows)}"


def unfrozen(weights: Sequence[ms.Parameter], freeze: Sequence[str]) -> list[ms.Parameter]:
    """The weights that are trained; raises `UsageError` for a part that the network has not, or if none is left."""
    for part in freeze:
        if not any(weight.name.startswith(part) for weight in weights):
            parts = ", ".join(dict.fromkeys(weight.name.split(".")[0] for weight in weights))
            raise UsageError(f"freeze: the network has no part {part!r}, only {parts}")
    left = [weight for weight in weights if not weight.name.startswith(tuple(freeze))] if freeze else list(weights)
    if not left:
        raise UsageError(f"freeze={','.join(freeze)} leaves nothing to train; leave one part out")
    return left
