"""The arrays of a checkpoint, read without MindSpore, are those that MindSpore reads."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from shared.errors import DataLoss
from shared.recogniser.checkpoint_weights import load_weights


def test_they_equal_what_mindspore_reads_whatever_their_size_and_type(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # MindSpore cuts the large one into three slices.
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=(700, 500)), rng.integers(0, 9, (2, 3, 4)), np.array(7)]
    types = [np.float32, np.float32, np.int32, np.int64]
    rows = [
        {"name": f"part.{number}", "data": ms.Tensor(array.astype(dtype))}
        for number, (array, dtype) in enumerate(zip(arrays, types, strict=True))
    ]
    file = tmp_path / "a.ckpt"
    ms.save_checkpoint(rows, str(file), append_dict={"cursor": 12})
    expected = {name: value.asnumpy() for name, value in ms.load_checkpoint(str(file)).items()}
    found = load_weights(file)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("content", [b"not a checkpoint", b"\x0a\x05\x0a\x01a\x12\x00"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.ckpt"
    file.write_bytes(content)
    with pytest.raises(DataLoss, match=r"bad\.ckpt is not a checkpoint, or a damaged one"):
        load_weights(file)
