"""The recogniser: network, loss, decoding, checkpoints, prediction; used by trainer and evaluator. Mostly MindSpore.

Importing MindSpore makes protobuf fall back to its pure Python parser, 3-10 times slower on our messages, here and in
every process started from here, unless the environment already says otherwise; hence the first line below. It also
warns about every accelerator package it does not find; `GLOG_v=3` (errors only) keeps that from people who asked for a
CPU, unless they set the variable themselves.
"""

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
os.environ.setdefault("GLOG_v", "3")
