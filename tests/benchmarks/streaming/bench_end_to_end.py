"""Streaming from shards through GeneratorDataset, as training gets its batches: each codec, 1 and 2 ranks.

    python -m tests.benchmarks.streaming.bench_end_to_end [--rounds N] [--epochs N] [--samples N]
        [--ranks N ...] [--codecs NAME ...]

In turns with a bare socket that moves the same bytes.
"""

from tests.benchmarks.streaming.by_codec import run

if __name__ == "__main__":
    run("end_to_end", __doc__, ranks=[1, 2], dataset=True)
