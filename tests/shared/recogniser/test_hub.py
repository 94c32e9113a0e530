"""`create_network` as MindSpore Hub calls it."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from shared.errors import UsageError
from shared.recogniser.checkpoint import weights_digest
from shared.recogniser.hub import PUBLISHED, create_network
from shared.recogniser.network.network_spec import NetworkSpec
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.support.toys import ToySource
from trainer.config import load_config
from trainer.presets import PRESETS


def test_the_published_network_is_the_one_the_zoo_preset_trains() -> None:
    config = load_config(PRESETS["zoo"], None, ())
    shared = {key: getattr(config, key) for key in vars(PUBLISHED) if key in type(config).model_fields}
    assert NetworkSpec(height=64, width=160, num_classes=11, **shared) == PUBLISHED


def test_it_has_the_published_shape_and_number_of_weights() -> None:
    network = create_network("warpctc")
    sizes = {parameter.name: parameter.size for parameter in network.trainable_params()}
    lstm = {size: sum(count for name, count in sizes.items() if size in name) for size in ("first.w", "second.w")}
    assert lstm == {"first.w": 1_441_792, "second.w": 2_097_152}
    assert sizes["classify.weight"] + sizes["classify.bias"] == 5_643


def test_another_shape_is_the_fields_of_the_spec() -> None:
    network = create_network("warpctc", height=16, width=24, hidden_size=8)
    images = ms.Tensor(np.zeros((2, 16, 24, 3), np.uint8))
    assert network(images).shape == (24, 2, 11)


def test_a_checkpoint_brings_its_own_shape_and_weights(tmp_path: Path) -> None:
    source = ToySource()
    path = untrained_checkpoint(tmp_path, source.dataset)
    source.close()
    by_file, by_run = (create_network("warpctc", checkpoint=place) for place in (path, str(tmp_path)))
    assert by_file.spec.hidden_size == 16
    assert weights_digest(by_file.trainable_params()) == weights_digest(by_run.trainable_params())
    with pytest.raises(UsageError, match="hidden_size cannot be given with a checkpoint"):
        create_network("warpctc", checkpoint=path, hidden_size=8)


def test_other_names_and_fields_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="there is no network 'resnet50' here, only 'warpctc'"):
        create_network("resnet50")
    with pytest.raises(UsageError, match="a network has no hiden_size; it has height, width"):
        create_network("warpctc", hiden_size=8)
