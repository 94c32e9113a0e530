"""Charts keep to what a page with a strict security policy and two colour schemes allows."""

import re

import pytest

from shared.page.charts import COLOURS, Line, legend, line_chart
from shared.page.run_curves import draw_curves
from shared.page.run_history import HistoryRow

LINES = [Line(f"run {number}", [1, 100_000], [1.0, number + 2.0]) for number in range(len(COLOURS) + 2)]


def test_a_chart_has_no_style_of_its_own_and_no_colour_that_is_fixed() -> None:
    svg = line_chart("loss", "loss <&>", LINES, "log", mark=50)
    assert 'style="' not in svg
    assert "<style" not in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert 'aria-label="loss &lt;&amp;&gt; by step. run 0: from 1 to 2 at step 100,000; ' in svg
    assert all(name.startswith("loss-") for name in re.findall(r'\bid="([^"]*)"', svg))
    assert svg == line_chart("loss", "loss <&>", LINES, "log", mark=50)


@pytest.mark.parametrize("number", range(len(LINES)))
def test_each_line_has_its_colour_in_the_legend(number: int) -> None:
    colour = re.search(r'stroke="(var\(--[a-z0-9-]+\))"', legend("key", number))
    assert colour
    assert f'stroke="{colour[1]}"' in line_chart("loss", "loss", LINES)


def test_a_curve_needs_two_values_of_some_run_and_keeps_the_colours_of_the_others() -> None:
    one = [HistoryRow(1, 2.0, lr=0.1)]
    two = [HistoryRow(1, 2.0), HistoryRow(2, 1.0)]
    assert draw_curves({"": one}) == []
    (loss,) = draw_curves({"one": one, "two": two})
    assert loss.name == "loss"
    with_rate = [HistoryRow(step, 1.0, lr=0.1) for step in (1, 2)]
    rate = next(each for each in draw_curves({"two": two, "rate": with_rate}) if each.name == "lr")
    assert "var(--warm)" in rate.svg
    assert "var(--accent)" not in rate.svg
