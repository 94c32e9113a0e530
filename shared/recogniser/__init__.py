"""The recogniser: network, loss, decoding, checkpoints, prediction; used by trainer and evaluator. Mostly MindSpore.

    from shared.recogniser import load

    reader = load("run")
    print(reader.read("x.png"))

Importing MindSpore makes protobuf fall back to its pure Python parser, 3-10 times slower on our messages, here and in
every process started from here, unless the environment already says otherwise; hence the first line below. It also
warns about every accelerator package it does not find; `GLOG_v=3` (errors only) keeps that from people who asked for a
CPU, unless they set the variable themselves.

`load` is imported when it is first asked for: what it needs takes a moment to import, and this package must not.
"""

import os
from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names
from shared.recogniser.device_name import Device

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
os.environ.setdefault("GLOG_v", "3")

if TYPE_CHECKING:
    from shared.recogniser.loading import load
else:
    __getattr__ = lazy_names(__name__, {"load": "shared.recogniser.loading"})

__all__ = ["Device", "load"]
