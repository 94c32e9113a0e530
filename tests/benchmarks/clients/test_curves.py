"""The README's curves are whole SVG files that say their figures in words too."""

from pathlib import Path
from xml.etree import ElementTree

from tests.benchmarks.clients.curves import HEIGHT, WIDTH, Curve, write_svg

_SVG = "{http://www.w3.org/2000/svg}"


def test_every_point_lies_inside_its_panel_and_a_higher_value_lies_higher(tmp_path: Path) -> None:
    curves = [Curve("images/s <1>", [1, 4, 256], [10, 40, 20]), Curve("MB", [1, 4, 256], [0, 0, 0])]
    file = tmp_path / "a.svg"
    write_svg(file, "readers", curves)
    root = ElementTree.parse(file).getroot()  # noqa: S314 - it is our own.
    assert root.get("aria-label") == "readers: images/s <1>: 1 10, 4 40, 256 20; MB: 1 0, 4 0, 256 0"
    panels = [
        [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in panel.iter(f"{_SVG}circle")]
        for panel in root.iter(f"{_SVG}g")
    ]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for panel in panels for x, y in panel)
    heights = [y for _, y in panels[0]]
    assert heights[1] < heights[2] < heights[0]
    before = file.read_bytes()
    write_svg(file, "readers", curves)
    assert file.read_bytes() == before
