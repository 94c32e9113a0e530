"""What the parts of an evaluation cost alone, in CPU seconds for 10,000 images: for `bench_start`.

Serving them, by a new service that has drawn nothing yet, as the evaluator's own: with the first pictures, which are
drawn before Numba is loaded, and with loading it. Receiving them. Predicting: network, losses, decoding, counting.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from evaluator.scores import ScoreAccumulator
from evaluator.split_prediction import SplitPredictor
from shared.client import Batch, connect
from shared.dataset.rank_slice import Remainder
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.image_reader import BATCH_SIZE
from tests.support.services import ServiceProcess

NUM_IMAGES = 10_000
_PREDICTED_BATCHES = 50


def evaluation_parts(run: Path) -> Mapping[str, float]:
    """CPU seconds by part, and images/s if they filled all cores and there were nothing else."""
    workers = max(1, len(os.sched_getaffinity(0)) - 1)
    serve = "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin", "--workers", str(workers)
    with (
        ServiceProcess("datagen_server", *serve, "--count", "train=64", f"test={NUM_IMAGES}") as service,
        connect(service.target) as client,
    ):
        serving, receiving, kept = _cpu_s(service.process.pid), time.process_time(), list[Batch]()
        with client.stream("test", shuffle=False, global_batch_size=BATCH_SIZE, remainder=Remainder.PAD) as stream:
            for batch in stream:
                kept += [batch] if len(kept) < _PREDICTED_BATCHES else []
        receiving = time.process_time() - receiving
        serving = _cpu_s(service.process.pid) - serving
        spec = client.dataset.spec
    checkpoint = find_checkpoint(run)
    predictor = SplitPredictor(checkpoint, read_info(checkpoint), spec, "cpu")
    accumulator = ScoreAccumulator(spec.alphabet, spec.max_length)
    predictor.predict(kept[0])
    started = time.process_time()
    for batch in kept:
        accumulator.add(predictor.predict(batch))
    predicting = (time.process_time() - started) * NUM_IMAGES / (len(kept) * BATCH_SIZE)
    rate = (workers + 1) * NUM_IMAGES / (serving + receiving + predicting)
    parts = {"serving_cpu_s": serving, "receiving_cpu_s": receiving, "predicting_cpu_s": predicting}
    return {**{name: round(seconds, 2) for name, seconds in parts.items()}, "images_per_s": round(rate)}


def _cpu_s(pid: int) -> float:
    """Of a process and of those below it, so far."""
    service = psutil.Process(pid)
    times = [process.cpu_times() for process in (service, *service.children(recursive=True))]
    return sum(each.user + each.system for each in times)
