"""`python -m tests.support.toy_server PORT ...`: the real server over toy data, for tests that kill or starve it."""

import argparse
import sys

from datagen_server.service.server import DatasetServer, serve_until_stopped
from shared.dataset.spec import DatasetSpec
from shared.system.listen_address import ListenAddress
from shared.system.malloc import keep_freed_blocks, use_one_heap
from tests.support.toys import TOY_COUNTS, TOY_SPEC, ToySource

if __name__ == "__main__":
    use_one_heap()
    keep_freed_blocks()  # As `serve` does.
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--width", type=int, default=TOY_SPEC.width)
    parser.add_argument("--height", type=int, default=TOY_SPEC.height)
    parser.add_argument("--train", type=int, default=TOY_COUNTS["train"])
    parser.add_argument("--test", type=int, default=TOY_COUNTS["test"])
    parser.add_argument("--memory-mib", type=int)
    options = parser.parse_args()
    spec = DatasetSpec(width=options.width, height=options.height)
    source = ToySource(spec, {**TOY_COUNTS, "train": options.train, "test": options.test})
    memory = options.memory_mib and options.memory_mib << 20
    server = DatasetServer(source, ListenAddress("127.0.0.1", options.port), memory=memory)
    sys.exit(serve_until_stopped(server, stop_with_stdin=True))
