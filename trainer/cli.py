"""The trainer's command line: reads argv, finds or starts the data set service, trains, says what came of it."""

import argparse
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from shared.client import connect
from shared.command import CommandParser
from shared.embedded import embedded_service
from trainer.agreement import SPLIT
from trainer.config import PRESETS, TrainerConfig, load_config
from trainer.progress import TrainingProgress
from trainer.run_dir import RunDir

_EXAMPLES = """\
examples:
  python -m trainer                                       train the fast preset on an embedded service
  python -m trainer --datagen 10.0.0.5:50051              train from a service that runs elsewhere
  python -m trainer --run-dir run --resume                go on where the newest checkpoint ends
  python -m trainer --steps 200 -o batch_size=32          fewer steps, smaller batches
"""


def main(argv: Sequence[str]) -> int:
    """Runs one training; returns the exit code."""
    options = _parser().parse_args(argv)
    run, config = _open_run(options)
    # MindSpore takes seconds to import: --help and a mistyped key do not wait for it.
    from shared.nn.runtime import set_device
    from trainer.loop import Trainer

    set_device(options.device)
    with _service(options.datagen, config) as target, connect(target) as client, TrainingProgress() as progress:
        trainer = Trainer(config, client, run, options.device, progress.show)
        run.begin(config)
        progress.start(client.dataset, target, SPLIT, trainer.done, trainer.num_steps)
        with _signals(trainer.stop) as received:
            summary = trainer.train()
    if options.json:
        print(json.dumps(asdict(summary)))
    else:
        progress.finish(summary)
    return 128 + received[0] if received else 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m trainer", description="Trains a captcha reader on a streamed data set.", epilog=_EXAMPLES
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="fast", help="where the defaults come from")
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="configuration keys to change")
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="one key to change"
    )
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs")
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--run-dir", type=Path, default=Path("run"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, metavar="N", help="the same as -o epoch_size=N")
    length.add_argument("--steps", type=int, metavar="N", help="the same as -o steps=N")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    return parser


def _open_run(options: argparse.Namespace) -> tuple[RunDir, TrainerConfig]:
    overrides = list(options.overrides)
    if options.epochs is not None:
        overrides += [f"epoch_size={options.epochs}", "steps=null"]
    if options.steps is not None:
        overrides.append(f"steps={options.steps}")
    run = RunDir(options.run_dir)
    if options.resume:
        return run, run.reopen(options.config, overrides)
    run.check_new()
    return run, load_config(PRESETS[options.preset], options.config, overrides).for_ranks(1)


@contextmanager
def _service(target: str | None, config: TrainerConfig) -> Iterator[str]:
    if target is not None:
        yield target
        return
    with embedded_service(counts={"train": config.train_samples, "test": 10_000}) as embedded:
        yield embedded


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM calls `stop` and is listed; the next one has its usual effect."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()
        stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, handle)
    try:
        yield received
    finally:
        restore()
