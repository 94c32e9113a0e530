"""Curves for the README as one SVG file: panels side by side, each with its own scale; light and dark mode alike."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 270, 200, 14, 22, 44, 30
"Of a panel, in pixels, and its margins."
_STYLE = """text { font: 12px sans-serif; fill: #6e7781 } .title { font-weight: bold }
.grid { stroke: #8b949e66 } .curve { stroke: #2f81f7; stroke-width: 2; fill: none } circle { fill: #2f81f7 }"""


@dataclass(frozen=True)
class Curve:
    """One panel; the horizontal scale is logarithmic, the vertical one begins at zero."""

    title: str
    x: Sequence[float]
    y: Sequence[float]


def write_svg(file: Path, description: str, curves: Sequence[Curve]) -> None:
    """Replaces the file; description: for those who cannot see it. Equal curves give equal bytes."""
    file.write_text("\n".join(_lines(description, curves)) + "\n")


def _lines(description: str, curves: Sequence[Curve]) -> Iterator[str]:
    told = "; ".join(
        f"{curve.title}: " + ", ".join(f"{x:g} {y:,.4g}" for x, y in zip(curve.x, curve.y, strict=True))
        for curve in curves
    )
    size = f'width="{WIDTH * len(curves)}" height="{HEIGHT}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(f"{description}: {told}")}>'
    yield f"<style>{_STYLE}</style>"
    for number, curve in enumerate(curves):
        yield f'<g transform="translate({number * WIDTH} 0)">'
        yield from _panel(curve)
        yield "</g>"
    yield "</svg>"


def _panel(curve: Curve) -> Iterator[str]:
    bottom, right, highest = HEIGHT - BOTTOM, WIDTH - RIGHT, max(curve.y)
    span = math.log(curve.x[-1] / curve.x[0]) or 1.0
    points = [
        (LEFT + (right - LEFT) * math.log(x / curve.x[0]) / span, bottom - (bottom - TOP) * y / (highest or 1.0))
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    yield f'<text class="title" x="{LEFT}" y="16">{escape(curve.title)}</text>'
    for height in (TOP, (TOP + bottom) / 2, bottom):
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{height:g}" y2="{height:g}"/>'
    yield f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    for number, ((x, y), value) in enumerate(zip(points, curve.x, strict=True)):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
        if number in (0, len(points) - 1):
            anchor, y_value = "start" if number == 0 else "end", curve.y[number]
            neighbour = points[min(1, len(points) - 1)] if number == 0 else points[-2]
            text_y = y + 18 if neighbour[1] < y < bottom - 30 else y - 8
            shown = f"{y_value:,.0f}" if y_value >= 100 else f"{y_value:.3g}"
            yield f'<text x="{x:.1f}" y="{text_y:.1f}" text-anchor="{anchor}">{shown}</text>'
