"""The ONNX model of a checkpoint: what the export writes, and what predicts on the CPU."""

from pathlib import Path

import onnx

from shared.errors import DataLoss
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.checkpoint_weights import load_weights
from shared.recogniser.onnx.graph import build_onnx
from shared.recogniser.onnx.metadata import OnnxMetadata


def build_checkpoint_model(checkpoint: Path, info: CheckpointInfo) -> onnx.ModelProto:
    """The network of a `.ckpt` file; raises `DataLoss` when it holds others than its JSON says."""
    spec, dataset = info.network_spec(), info.dataset_spec()
    metadata = OnnxMetadata(
        alphabet=dataset.alphabet,
        width=spec.width,
        height=spec.height,
        max_length=dataset.max_length,
        fit=info.fit.to_mapping(),
        fingerprint=info.fingerprint,
        weights_digest=info.weights_digest,
    )
    weights = load_weights(checkpoint)
    try:
        if weights["first.weight_hh_l0"].shape[1] != spec.hidden_size:
            raise DataLoss(f"{checkpoint} does not hold an LSTM layer of {spec.hidden_size} units")
        return build_onnx(spec, weights, metadata)
    except KeyError as error:
        raise DataLoss(f"{checkpoint} does not hold {error.args[0]}") from error
