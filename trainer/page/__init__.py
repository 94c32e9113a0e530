"""The pages of the trainer: a live one of a training that runs, and one that compares runs.

`exported_metrics` is imported when it is first asked for: a run without a page does not wait for Flask and Matplotlib.
"""

from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

if TYPE_CHECKING:
    from trainer.page.prometheus_exporter import exported_metrics
else:
    __getattr__ = lazy_names(__name__, {"exported_metrics": "trainer.page.prometheus_exporter"})

__all__ = ["exported_metrics"]
