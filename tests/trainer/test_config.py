"""Configuration: presets, files and overrides; every mistake named."""

from pathlib import Path

import pytest

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError
from trainer.config import dump_config, load_config
from trainer.presets import PRESETS

PUBLISHED = {
    "max_captcha_digits": 4,
    "captcha_width": 160,
    "captcha_height": 64,
    "batch_size": 64,
    "epoch_size": 30,
    "hidden_size": 512,
    "learning_rate": 0.01,
    "momentum": 0.9,
    "save_checkpoint": True,
    "save_checkpoint_steps": 97,
    "keep_checkpoint_max": 30,
}


def test_the_zoo_preset_is_the_published_table() -> None:
    values = load_config(PRESETS["zoo"], None, ()).for_dataset(DatasetSpec()).model_dump()
    assert {key: values[key] for key in PUBLISHED} == PUBLISHED
    assert "save_checkpoint_path" in values


def test_an_epoch_of_the_zoo_preset_has_781_steps() -> None:
    config = load_config(PRESETS["zoo"], None, ())
    assert config.steps is None
    assert RankSlice(count=config.train_samples, global_batch_size=config.batch_size).num_steps == 781


def test_every_preset_is_a_valid_configuration() -> None:
    for values in PRESETS.values():
        load_config(values, None, ())


def test_overrides_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("batch_size: 32\nhidden_size: 128\n")
    config = load_config({"batch_size": 16, "log_steps": 7}, file, ["hidden_size=64", "steps=null"])
    assert (config.batch_size, config.hidden_size, config.log_steps, config.steps) == (32, 64, 7, None)


def test_what_is_dumped_loads_as_the_same(tmp_path: Path) -> None:
    config = load_config({}, None, ["batch_size=8", "codec=zstd", "learning_rate=1e-3"])
    file = tmp_path / "config.yaml"
    file.write_text(dump_config(config))
    assert load_config({}, file, ()) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch_sise=8", "unknown configuration key 'batch_sise'; did you mean batch_size?"),
        ("zzz=1", "unknown configuration key 'zzz'; known keys: max_captcha_digits"),
        ("batch_size=0", "configuration key batch_size: input should be greater than or equal to 1, got 0"),
        ("batch_size=many", "configuration key batch_size: input should be a valid integer"),
        ("learning_rate=-1", "configuration key learning_rate: input should be greater than 0, got -1"),
        ("learning_rate=.nan", "configuration key learning_rate: input should be a finite number"),
        ("momentum=1", "configuration key momentum: input should be less than 1, got 1"),
        ("optimizer=lamb", "configuration key optimizer: input should be 'adam' or 'sgd', got 'lamb'"),
        ("pixels=grey", "configuration key pixels: input should be 'ink' or 'colour', got 'grey'"),
        ("decay_epochs=0", "configuration key decay_epochs: input should be greater than or equal to 1, got 0"),
        ("codec=jpeg", "configuration key codec: input should be 'raw', 'zstd' or 'png', got 'jpeg'"),
        ("batch_size", "-o wants KEY=VALUE, got 'batch_size'"),
        ("batch_size=[", "the value is not YAML"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config({}, None, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must hold keys and values, got a list"),
        ("a: [", "is not YAML"),
        ("nope: 1", "unknown configuration"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config({}, file, ())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the configuration .*No such file"):
        load_config({}, tmp_path / "none.yaml", ())


def test_keys_that_nobody_gave_are_the_data_sets() -> None:
    config = load_config({}, None, ["captcha_width=200"]).for_dataset(DatasetSpec(width=200, height=80, max_length=6))
    assert (config.max_captcha_digits, config.captcha_width, config.captcha_height) == (6, 200, 80)


def test_all_keys_that_contradict_the_data_set_are_named() -> None:
    config = load_config({}, None, ["captcha_width=200", "max_captcha_digits=6", "captcha_height=64"])
    message = (
        "max_captcha_digits 6 .the data set's is 4., captcha_width 200 .the data set's is 160.; leave such keys out"
    )
    with pytest.raises(UsageError, match=message):
        config.for_dataset(DatasetSpec())
