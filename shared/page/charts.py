"""Charts as SVG inside a page, drawn by Matplotlib.

Note: no colour is fixed. Each is a placeholder that becomes a CSS variable of the page, so one drawing is used in light
and dark mode. Text stays text, in the page's own font, and there are no style attributes, which a strict content
security policy forbids. Equal figures give equal bytes. Only one thread may draw at a time.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It prints about its font cache.

INK, LINE, ACCENT, WARM = "#000001", "#000002", "#000003", "#000004"
_MORE = "#000005", "#000006", "#000007", "#000008"
COLOURS = ACCENT, WARM, *_MORE
"Of the lines of one chart."
_VARIABLES = {INK: "var(--ink)", LINE: "var(--line)", ACCENT: "var(--accent)", WARM: "var(--warm)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_MORE, start=3)
}
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (3, 1, 1, 1)))
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "captcha",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.constrained_layout.use": True,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_LOG_FROM = 20.0
"A logarithmic scale has too few labels when the largest value is a smaller multiple of the least."
Scale = Literal["linear", "log", "percent"]


class Chart:
    """What `chart` yields: axes to draw on, and afterwards the drawing."""

    axes: Axes
    svg: Markup


@dataclass(frozen=True)
class Line:
    """One line of a chart over steps: as many values as steps; one without any keeps its colour free."""

    label: str
    steps: Sequence[int]
    values: Sequence[float]


@contextmanager
def chart(name: str, description: str, height_in: float = 3.2) -> Iterator[Chart]:
    """name: a word of its own, for the ids; description: for screen readers."""
    drawn = Chart()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5, height_in))
        drawn.axes = figure.add_subplot()
        yield drawn
        file = io.StringIO()
        with warnings.catch_warnings():
            # The page's own fonts draw the text; Matplotlib only needs its width.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    drawn.svg = Markup(_for_page(file.getvalue(), name, str(Markup.escape(description))))  # noqa: S704 - Matplotlib escapes its text.


def line_chart(
    name: str, label: str, lines: Sequence[Line], scale: Scale = "linear", mark: int | None = None
) -> Markup:
    """Values over steps; label: what they are, such as "images/s".

    scale: log is used where the values are positive and span more than a decade; mark: a step to mark with a dashed
    line. Several lines differ in colour and in dashes; their legend is the page's own, see `legend`.
    """
    description = f"{label} by step. " + "; ".join(_described(line) for line in lines if line.steps)
    with chart(name, description) as drawn:
        for number, line in enumerate(lines):
            drawn.axes.plot(
                line.steps,
                line.values,
                color=COLOURS[number % len(COLOURS)],
                linestyle=_DASHES[number % len(_DASHES)],
                linewidth=1.8,
                marker="o" if len(line.steps) < 12 else None,  # Else a single point would not show.
                markersize=4,
            )
        scale_axis(drawn.axes, scale, [value for line in lines for value in line.values])
        step_axis(drawn.axes)
        if mark is not None:
            drawn.axes.axvline(mark, color=WARM, linewidth=1.2, linestyle="--")
        drawn.axes.set(ylabel=label)
    return drawn.svg


def legend(name: str, number: int) -> Markup:
    """A piece of the line `number` of a chart, to stand before its label. name: a word of its own."""
    place = number % len(COLOURS)
    dashes = {"-": "", "--": "7 3", ":": "2 3", "-.": "7 3 2 3"}.get(str(_DASHES[place]), "9 2 4 2")
    variable = _VARIABLES[COLOURS[place]]
    return Markup(
        '<svg class="legend" viewBox="0 0 28 8" aria-hidden="true" id="{}"><line x2="28" y1="4" y2="4" stroke="{}" '
        'stroke-width="3" stroke-dasharray="{}"/></svg>'
    ).format(name, variable, dashes or "none")


def step_axis(axes: Axes) -> None:
    """Steps along x: whole numbers with separators, few enough to stand apart with seven digits."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="step")


def scale_axis(axes: Axes, scale: Scale, values: Sequence[float]) -> None:
    """Values along y."""
    if scale == "percent":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        return
    if scale == "log" and min(values) > 0 and max(values) > _LOG_FROM * min(values):
        axes.set_yscale("log")
        # Powers of ten alone are too few labels for two decades.
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(values) < 1000 * min(values) else (1.0,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def _described(line: Line) -> str:
    before = f"{line.label}: " if line.label else ""
    return f"{before}from {line.values[0]:.3g} to {line.values[-1]:.3g} at step {line.steps[-1]:,}"


def _for_page(svg: str, name: str, description: str) -> str:
    svg = svg[svg.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    # Ids must be unique on the page, and the page's own font and width shall hold.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' style="([^"]*)"', _as_attributes, svg)
    size = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
    return size.sub(rf'<svg class="chart" role="img" aria-label="{description}" viewBox="\1">', svg, count=1)


def _as_attributes(style: re.Match[str]) -> str:
    """The same as presentation attributes of SVG."""
    pairs = [part.split(":", 1) for part in style[1].split(";") if part.strip()]
    return "".join(f' {key.strip()}="{value.strip()}"' for key, value in pairs)
