"""The arrays in a `.ckpt` file, read without MindSpore, which takes seconds to import.

The file is one protobuf message: named tensors, each with its shape, the name of its type and its bytes. Note:
MindSpore cuts a large tensor into slices, which follow each other under one name, each with the shape of the whole.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

from shared.errors import DataLoss

_INT64, _STRING, _MESSAGE, _BYTES = 3, 9, 11, 12
_OPTIONAL, _REPEATED = 1, 3
# Messages and fields of MindSpore's checkpoint.proto: name, number, label, type, message.
_MESSAGES = {
    "Checkpoint": [("value", 1, _REPEATED, _MESSAGE, "Value")],
    "Value": [("tag", 1, _OPTIONAL, _STRING, ""), ("tensor", 2, _OPTIONAL, _MESSAGE, "Tensor")],
    "Tensor": [
        ("dims", 1, _REPEATED, _INT64, ""),
        ("tensor_type", 2, _OPTIONAL, _STRING, ""),
        ("tensor_content", 3, _OPTIONAL, _BYTES, ""),
    ],
}


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """All weights of a checkpoint by name; the state of its optimizer and the cursor are among them.

    Raises `DataLoss` when it is no checkpoint of MindSpore's.
    """
    try:
        values = _message_class().FromString(path.read_bytes()).value
        return {name: _joined([value.tensor for value in slices]) for name, slices in groupby(values, lambda v: v.tag)}
    except (DecodeError, ValueError, TypeError) as error:
        raise DataLoss(f"{path} is not a checkpoint, or a damaged one; take another one") from error


def _joined(slices: list[Any]) -> NDArray[Any]:
    content = b"".join(each.tensor_content for each in slices)
    return np.frombuffer(content, np.dtype(slices[0].tensor_type.lower())).reshape(slices[0].dims)


def _message_class() -> Any:
    package = "captcha.checkpoint"
    file = FileDescriptorProto(name="checkpoint.proto", package=package)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind, of in fields:
            type_name = f".{package}.{of}" if of else ""
            message.field.add(name=field, number=number, label=label, type=kind, type_name=type_name or None)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.Checkpoint"))
