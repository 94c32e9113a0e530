"""The trainer's command line: reads the arguments, connects to or starts the service, trains, prints the summary."""

import argparse
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from shared.client import RetryPolicy, connect
from shared.client.wait_option import add_wait_option, retry_policy_of
from shared.dataset.spec_options import RenderSpec, add_spec_options, given_spec_options, spec_of
from shared.errors import UsageError
from shared.recogniser.checkpoint_info import find_checkpoint
from shared.security.credentials import Access, add_security_options, security_of
from shared.system.command_line import CommandParser, positive
from shared.system.directory_lock import made_and_locked
from shared.system.embedded_service import embedded_service
from shared.system.signals import stop_on_signal, uninterrupted
from trainer.config import PRESETS, TrainerConfig, dump_config, load_config
from trainer.distributed.launcher import Launcher
from trainer.distributed.placement import (
    DEFAULT_MASTER_PORT,
    Placement,
    check_master,
    place_by_table,
    place_on_this_host,
)
from trainer.distributed.rank_table import read_rank_table
from trainer.metrics_option import PageOptions, add_metrics_options, page_options
from trainer.next_command import next_command
from trainer.progress.tensorboard import check_tensorboard
from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import RunDir, Summary
from trainer.training.compatibility import SPLIT, plan_slice

_EXAMPLES = """\
examples:
  python -m trainer                                       train the fast preset on an embedded service
  python -m trainer --preset zoo                          the published recipe: 30 epochs of 781 steps
  python -m trainer --datagen 10.0.0.5:50051              train from a service that runs elsewhere
  python -m trainer --datagen datagen:50051 --tls-ca certs/ca.pem --token-file certs/token
  python -m trainer --run-dir run --resume                continue from the newest checkpoint
  python -m trainer --run-dir run --resume --steps 6000   train a finished run for longer
  python -m trainer --run-dir mine --datagen mine:50051 --init-from run -o augment=light
  python -m trainer --ranks 2                             two processes on this host, each with half of every batch
  python -m trainer --device ascend --rank-table rank_table.json
  python -m trainer --steps 200 -o batch_size=32          fewer steps, smaller batches
  python -m trainer -o max_captcha_digits=6 -o captcha_width=200
  python -m trainer --alphabet alphanumeric --min-length 5 --max-length 6 --width 200 --font A.ttf B.ttf
"""


def main(argv: Sequence[str]) -> int:
    """Runs one training; returns the exit code."""
    options = build_parser().parse_args(argv)
    placement, run = _placement(options), RunDir(options.run_dir)
    pages = page_options(options)
    # Of several hosts with one directory, the first one owns it.
    owned = made_and_locked(run.path) if placement is None or placement.node == 0 else nullcontext()
    with owned, TrainingProgress() as progress:
        config = _open_run(options, run, placement)
        check_tensorboard(config)
        run.check_writable(config)
        with _service(options, run, config, pages) as (access, pages):
            if placement is not None:
                launcher = Launcher(placement, run, progress, pages)
                summary, received = _train_on_ranks(launcher, config, access, options, progress)
            else:
                # MindSpore takes seconds to import: --help and a mistyped key do not wait for it.
                with uninterrupted():
                    from trainer.training.single_rank import train

                retry_policy = RetryPolicy(give_up_after_s=options.patience)
                summary, is_stopped = train(config, run, options.device, access, pages, retry_policy, progress)
                # MindSpore turns a Ctrl-C during its compilation into SIGTERM: treat both as Ctrl-C.
                received = [signal.SIGINT] if is_stopped else []
    if summary is not None:
        if options.json:
            print(json.dumps(asdict(summary)))
        else:
            progress.finish(summary, next_command(options, summary))
    return 128 + received[0] if received else 0


def _train_on_ranks(
    launcher: Launcher, config: TrainerConfig, access: Access, options: argparse.Namespace, progress: TrainingProgress
) -> tuple[Summary | None, list[int]]:
    """As one process per rank of this host; the summary, and the signals that stopped it."""
    with connect(access.target, security=access.security) as client:
        dataset = client.dataset
    config = config.for_dataset(dataset.spec)
    plan_slice(config, dataset, launcher.world)
    progress.set_data(dataset, access.target, SPLIT)
    with stop_on_signal(launcher.stop) as received:
        return launcher.train(dump_config(config), access, options.device, options.patience), received


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = CommandParser(
        "python -m trainer", description="Trains a captcha recogniser on a streamed data set.", epilog=_EXAMPLES
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="fast", help="where the defaults come from")
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="configuration keys to change")
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="one key to change"
    )
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    ranks = parser.add_mutually_exclusive_group()
    ranks.add_argument("--ranks", type=int, default=1, metavar="N", help="processes on this host, one per device")
    ranks.add_argument("--rank-table", type=Path, metavar="FILE", help="an HCCL rank table, 1.0 or 1.2, says which "
                       "rank runs where; with several servers, start the same command on each")  # fmt: skip
    parser.add_argument("--node-rank", type=int, metavar="N", help="this host's place in the rank table's server_list; "
                        "default: the server with an address of this host")  # fmt: skip
    parser.add_argument("--master-addr", metavar="HOST", help="where ranks connect; default: the server of rank 0")
    port = f"default: {DEFAULT_MASTER_PORT} with several servers, else a free one"
    parser.add_argument("--master-port", type=int, metavar="PORT", help=port)
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--patience", type=positive, default=60, metavar="S", help="seconds to retry a service that "
                        "does not answer; then the run is saved and ends; default: %(default)s")  # fmt: skip
    parser.add_argument("--run-dir", type=Path, default=Path("run"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --run-dir; with --steps or --epochs past its end"
    )
    parser.add_argument("--init-from", type=Path, metavar="FILE|RUN_DIR", help="start with the weights of another "
                        "run, where they fit: those of characters by character, for any alphabet")  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, metavar="N", help="the same as -o epoch_size=N")
    length.add_argument("--steps", type=int, metavar="N", help="the same as -o steps=N")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_spec_options(parser)
    add_metrics_options(parser)
    add_wait_option(parser)
    add_security_options(parser)
    return parser


def _placement(options: argparse.Namespace) -> Placement | None:
    """None for a single rank, which runs in this process."""
    if options.rank_table is not None:
        table = read_rank_table(options.rank_table)
        placement = place_by_table(table, options.node_rank, options.master_addr, options.master_port)
        check_master(placement)
        return placement
    flags = "--node-rank", "--master-addr", "--master-port"
    values = options.node_rank, options.master_addr, options.master_port
    if given := [flag for flag, value in zip(flags, values, strict=True) if value is not None]:
        raise UsageError(f"{given[0]} is for runs on several hosts; pass it with --rank-table")
    return None if options.ranks == 1 else place_on_this_host(options.ranks)


def _open_run(options: argparse.Namespace, run: RunDir, placement: Placement | None) -> TrainerConfig:
    overrides = list(options.overrides)
    if options.epochs is not None:
        overrides += [f"epoch_size={options.epochs}", "steps=null"]
    if options.steps is not None:
        overrides.append(f"steps={options.steps}")
    if options.resume:
        if options.init_from is not None:
            raise UsageError("--init-from is for a new run; a resumed run has its own weights")
        return run.reopen(options.config, overrides)
    if placement is None or placement.node == 0:
        run.check_new()  # On several hosts with one directory, the first one may be there already.
    ranks = placement.ranks if placement is not None else 1
    config = load_config(PRESETS[options.preset], options.config, overrides).for_ranks(ranks)
    return _with_initial_checkpoint(config, options.init_from)


def _with_initial_checkpoint(config: TrainerConfig, init_from: Path | None) -> TrainerConfig:
    """Names the file itself: a run directory may have a newer checkpoint by the time this run is resumed."""
    source = init_from or (Path(config.init_from) if config.init_from is not None else None)
    if source is None:
        return config
    return config.model_copy(update={"init_from": str(find_checkpoint(source).resolve())})


@contextmanager
def _service(
    options: argparse.Namespace, run: RunDir, config: TrainerConfig, pages: PageOptions
) -> Iterator[tuple[Access, PageOptions]]:
    """Where to read from, and the options of the pages with the address of the service's own, as far as known."""
    security, retry_policy = security_of(options, options.datagen), retry_policy_of(options)
    if options.datagen is not None:
        if given := given_spec_options(options):
            raise UsageError(f"{', '.join(given)}: the service at --datagen says what its data set is; leave it out")
        connect(options.datagen, retry_policy, security).close()
        yield Access(options.datagen, security), pages
        return
    render_spec = _render_spec(options, config)
    addresses = [pages.service_page]
    counts = {"train": config.train_samples, "valid": config.validate_samples, "test": 10_000}
    on_page = None if pages.listen is None else addresses.append
    with embedded_service(counts, render_spec, on_page=on_page) as embedded:
        if not options.resume:
            run.write_spec(render_spec)
        try:
            yield Access(embedded), replace(pages, service_page=pages.service_page or addresses[-1])
        finally:
            run.remove_spec_without_run()


def _render_spec(options: argparse.Namespace, config: TrainerConfig) -> RenderSpec:
    """What the embedded service renders: as the options say, or as the run did that is resumed."""
    noted = RunDir(options.run_dir).spec_file
    if options.resume and not options.spec and noted.is_file():
        options.spec = noted
    render_spec = spec_of(options, config.spec_values())
    config.for_dataset(render_spec.spec)
    return render_spec
