"""A run of one rank, in the process of the command."""

from shared.client import RetryPolicy, connect
from shared.recogniser.device import Device, set_device
from shared.security.credentials import Access
from shared.system.listen_address import ListenAddress
from shared.system.signals import stop_on_signal
from trainer.config import TrainerConfig
from trainer.progress import TrainingProgress
from trainer.run_dir import RunDir, Summary
from trainer.training.compatibility import SPLIT
from trainer.training.loop import Trainer
from trainer.training.prometheus_exporter import exported_metrics


def train(
    config: TrainerConfig,
    run: RunDir,
    device: Device,
    access: Access,
    listen: ListenAddress | None,
    retry_policy: RetryPolicy,
    progress: TrainingProgress,
) -> tuple[Summary, bool]:
    """Trains to the end; the summary, and whether a signal stopped it. listen: where it answers Prometheus."""
    set_device(device)
    with connect(access.target, retry_policy, access.security) as client:
        trainer = Trainer(config, client, run, device, progress.show)
        trainer.restore()
        progress.set_data(client.dataset, access.target, SPLIT)
        progress.begin(trainer.done, trainer.num_steps)
        with stop_on_signal(trainer.stop) as received, exported_metrics(trainer, listen) as address:
            progress.show_metrics_address(0, address)
            summary = trainer.train()
    return summary, bool(received)
