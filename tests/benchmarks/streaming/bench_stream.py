"""Streaming from shards to NumPy batches: each codec, read by 1, 2 and 4 ranks, in turns with a bare socket.

    python -m tests.benchmarks.streaming.bench_stream [--rounds N] [--epochs N] [--samples N]
        [--ranks N ...] [--codecs NAME ...]

The shards hold what is sent, so records go through untouched; every epoch is shuffled and every checksum is checked.
The bare socket moves the same number of bytes to as many readers, and they do nothing with them.
"""

from tests.benchmarks.streaming.by_codec import run

if __name__ == "__main__":
    run("stream", __doc__, ranks=[1, 2, 4], dataset=False)
