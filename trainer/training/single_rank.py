"""A run of one rank, in the process of the command."""

from shared.client import RetryPolicy, connect
from shared.recogniser.device import set_device
from shared.recogniser.device_name import Device
from shared.security.credentials import Access
from shared.system.signals import stop_on_signal
from trainer.config import TrainerConfig
from trainer.page.metrics_option import PageOptions
from trainer.page.rank_page import shown_page
from trainer.progress.tensorboard import tensorboard_events
from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import RunDir, Summary
from trainer.training.compatibility import SPLIT
from trainer.training.loop import Trainer


def train(
    config: TrainerConfig,
    run: RunDir,
    device: Device,
    access: Access,
    pages: PageOptions,
    retry_policy: RetryPolicy,
    progress: TrainingProgress,
) -> tuple[Summary, bool]:
    """Trains to the end; the summary, and whether a signal stopped it. pages: where it shows its page."""
    set_device(device)
    with connect(access.target, retry_policy, access.security) as client:
        trainer = Trainer(config, client, run, device, [progress])
        trainer.restore()
        progress.set_data(client.dataset, access.target, SPLIT)
        progress.begin(trainer.done, trainer.last_step)
        with (
            stop_on_signal(trainer.stop) as received,
            shown_page(trainer, pages) as address,
            tensorboard_events(config, run, trainer.done) as events,
        ):
            trainer.observers += events
            progress.show_metrics_address(0, address)
            summary = trainer.train()
    return summary, bool(received)
