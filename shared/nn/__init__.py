"""What needs MindSpore and both the trainer and the evaluator use.

Importing MindSpore makes protobuf fall back to its pure Python parser, 3-10 times slower on our messages, unless
protobuf was imported before; hence the first import here. It also warns about every accelerator package it does not
find; `GLOG_v=3` (errors only) keeps that from people who asked for a CPU, unless they set the variable themselves.
"""

import os

import shared.wire as _protobuf_before_mindspore  # noqa: F401

os.environ.setdefault("GLOG_v", "3")
