"""What is to be reached, figure by figure, and where each figure stands in the JSON lines of the benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Results = Mapping[str, Mapping[str, Any]]
"The JSON line of each benchmark, by its name."


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table."""

    name: str
    benchmark: str
    path: tuple[str, ...]
    "Keys of the benchmark's JSON line, the outermost first."
    target: float | None = None
    "None where there is none: the figure is measured all the same."
    at_most: bool = False
    "Whether the target is an upper bound; else it is a lower one."

    def value(self, results: Results) -> float | None:
        """None where the benchmark was not run, or failed."""
        found: Any = results.get(self.benchmark)
        for key in self.path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if found is None else float(found)

    def is_met(self, value: float) -> bool | None:
        """None where there is no target."""
        if self.target is None:
            return None
        return value <= self.target if self.at_most else value >= self.target


def _start(name: str, command: str, target: float | None = None) -> Figure:
    return Figure(name=name, benchmark="start", path=("commands", command, "s"), target=target, at_most=True)


FIGURES = (
    Figure(name="rendering, times the captcha library", benchmark="render", path=("ratio",), target=4),
    Figure(name="materialising, share of the renderers' rate", benchmark="materialize", path=("share_of_renderers",)),
    Figure(name="materialising, images/s", benchmark="materialize", path=("images_per_s",), target=5000),
    Figure(name="streaming, times tf.data service", benchmark="peer", path=("ratio",), target=3),
    Figure(name="streaming raw, share of a bare socket", benchmark="peer", path=("raw_ratio_to_bare_socket",),
           target=0.45),
    Figure(name="bound: the least service over gRPC, times tf.data service", benchmark="peer", path=("minimal_ratio",)),
    Figure(name="bound: the least service over gRPC, raw, share of a bare socket", benchmark="peer",
           path=("minimal_raw_ratio_to_bare_socket",)),
    Figure(name="cores that one stream keeps busy", benchmark="wakeups", path=("cores_busy",)),
    Figure(name="idle core time for a message, us", benchmark="wakeups", path=("idle_core_us_per_message",)),
    Figure(name="bound: its wake-ups alone, us", benchmark="wakeups", path=("wake_ups_core_us_per_message",)),
    _start("trainer --steps 1, s", "trainer --steps 1", 2.5),
    _start("bound: MindSpore alone, import and one step, s", "MindSpore alone, one step"),
    _start("predict one picture, checkpoint, s", "predict, checkpoint", 0.8),
    _start("predict one picture, ONNX, s", "predict, ONNX", 0.8),
    _start("datagen_server --help, s", "datagen_server --help", 0.15),
    _start("trainer --help, s", "trainer --help", 0.15),
    _start("evaluator --help, s", "evaluator --help", 0.15),
    _start("health, s", "datagen_server health", 0.15),
    Figure(name="evaluator, images/s, rendering included", benchmark="start", path=("evaluator_images_per_s",),
           target=2000),
    Figure(name="bound: serving, receiving and predicting alone on all cores, images/s", benchmark="start",
           path=("evaluator_parts", "images_per_s")),
    Figure(name="step of fast, times its matrix products", benchmark="step", path=("ratio",), target=1, at_most=True),
    Figure(name="bound: these, elementwise passes and the update alone, times the products", benchmark="step",
           path=("bound_ratio",)),
    Figure(name="step of crnn, times PyTorch's", benchmark="crnn_steps", path=("ratio",), target=1, at_most=True),
    Figure(name="bound: products and gathers of crnn alone, times PyTorch's step", benchmark="crnn_steps",
           path=("products_and_gathers_ratio",)),
    Figure(name="bound: these and elementwise passes alone, times PyTorch's step", benchmark="crnn_steps",
           path=("operators_ratio",)),
    Figure(name="bound: these and a step of one picture, times PyTorch's step", benchmark="crnn_steps",
           path=("operators_and_single_ratio",)),
    Figure(name="accuracy, the quick recipe", benchmark="accuracy", path=("quick", "accuracy"), target=0.99),
    Figure(name="its seconds of training", benchmark="accuracy", path=("quick", "train_s"), target=60, at_most=True),
    Figure(name="accuracy, the long recipe", benchmark="accuracy", path=("long", "accuracy"), target=0.999),
    Figure(name="its seconds of training", benchmark="accuracy", path=("long", "train_s"), target=900, at_most=True),
    Figure(name="10,000,000 samples: first batch, s", benchmark="growth", path=("large", "first_batch_s")),
    Figure(name="10,000,000 samples: memory, MB", benchmark="growth", path=("large", "read_mb")),
    Figure(name="10,000,000 samples: images/s, shuffled", benchmark="growth", path=("large", "images_per_s")),
    Figure(name="256 readers, images/s", benchmark="readers", path=("256", "images_per_s")),
    Figure(name="256 readers, p99 wait for a batch, s", benchmark="readers", path=("256", "p99_wait_s")),
    Figure(name="256 readers, memory of the service, MB", benchmark="readers", path=("256", "server_mb")),
)  # fmt: skip


def table(results: Results) -> Table:
    """Figure, measured, target, met."""
    rows = Table("figure", "measured", "target", "met", title="every figure beside its target")
    for figure in FIGURES:
        value = figure.value(results)
        met = None if value is None else figure.is_met(value)
        sign = "" if figure.target is None else f"{'at most' if figure.at_most else 'at least'} {figure.target:,g}"
        shown = "not measured" if value is None else f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
        rows.add_row(figure.name, shown, sign, {None: "", True: "yes", False: "no"}[met])
    return rows


def as_json(results: Results) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "figure": figure.name,
            "benchmark": figure.benchmark,
            "measured": (value := figure.value(results)),
            "target": figure.target,
            "met": None if value is None else figure.is_met(value),
        }
        for figure in FIGURES
    ]
