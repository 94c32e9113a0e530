"""The page of a rank, where one is asked for. Without it nothing of what draws it is imported: half a second of CPU."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from trainer import page
from trainer.page.metrics_option import PageOptions

if TYPE_CHECKING:
    from trainer.training.loop import Trainer


def shown_page(trainer: "Trainer", pages: PageOptions) -> AbstractContextManager[str]:
    """Shows the live page and answers Prometheus during the block, whose value is the address; "" for no page."""
    if pages.listen is None:
        return nullcontext("")
    # Only now are Flask and Matplotlib imported.
    return page.exported_metrics(trainer, pages, pages.listen)
