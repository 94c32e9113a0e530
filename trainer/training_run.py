"""What `python -m trainer` does: connects to or starts the service, trains, prints the summary."""

import argparse
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from shared.client import RetryPolicy, connect
from shared.client.wait_option import retry_policy_of
from shared.dataset.spec_options import RenderSpec, given_spec_options, spec_of
from shared.errors import UsageError
from shared.recogniser.checkpoint_info import find_checkpoint
from shared.security.credentials import Access, security_of
from shared.system.command_line import interrupted, load_module
from shared.system.directory_lock import made_and_locked
from shared.system.embedded_service import embedded_service
from shared.system.signals import stop_on_signal, uninterrupted
from trainer.config import TrainerConfig, dump_config, load_config
from trainer.distributed.launcher import Launcher
from trainer.distributed.placement import Placement, check_master, place_by_table, place_on_this_host
from trainer.distributed.tables.rank_table import read_rank_table
from trainer.next_command import next_command
from trainer.page.metrics_option import PageOptions, page_options
from trainer.presets import PRESETS
from trainer.progress.tensorboard import check_tensorboard
from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import RunDir, Summary
from trainer.training.compatibility import SPLIT, plan_slice


def run(options: argparse.Namespace) -> int:
    """Runs one training; returns the exit code."""
    placement, run_dir = _placement(options), RunDir(options.run_dir)
    pages = page_options(options)
    # Of several hosts with one directory, the first one owns it.
    owned = made_and_locked(run_dir.path) if placement is None or placement.node == 0 else nullcontext()
    with owned, TrainingProgress() as progress:
        config = _open_run(options, run_dir, placement)
        check_tensorboard(config)
        run_dir.check_writable(config)
        with _service(options, run_dir, config, pages) as (access, pages):
            if placement is not None:
                launcher = Launcher(placement, run_dir, progress, pages)
                summary, received = _train_on_ranks(launcher, config, access, options, progress)
            else:
                # MindSpore takes seconds to import: a mistyped key does not wait for it.
                with uninterrupted():
                    from trainer.training.single_rank import train

                retry_policy = RetryPolicy(give_up_after_s=options.patience)
                summary, is_stopped = train(config, run_dir, options.device, access, pages, retry_policy, progress)
                # MindSpore turns a Ctrl-C during its compilation into SIGTERM: treat both as Ctrl-C.
                received = [signal.SIGINT] if is_stopped else []
    if summary is not None:
        if options.json:
            print(json.dumps(asdict(summary)))
        else:
            progress.finish(summary, next_command(options, summary))
    elif received:
        return interrupted("trainer", received)
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
    # MindSpore takes as long to import as the service to start. Several ranks import what they need themselves.
    is_alone = options.ranks == 1 and options.rank_table is None
    prepare: Callable[[], object] = partial(load_module, "trainer.training.single_rank") if is_alone else lambda: None
    with embedded_service(counts, render_spec, on_page=on_page, while_it_starts=prepare) as embedded:
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
