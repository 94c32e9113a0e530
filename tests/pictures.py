"""The README's pictures of a report: python -m tests.pictures REPORT_DIR, where REPORT_DIR was written with --best.

.readme/report.png     the head of the page and its first errors
.readme/accuracy.svg   its accuracy curve, in colours of its own
"""

import argparse
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.support.browser import CHROMIUM

FOLDER = Path(__file__).parent.parent / ".readme"
_WIDTH = 1180
_EDGES = """[document.querySelector("#training").getBoundingClientRect().bottom + 12,
             document.querySelector("#errors").getBoundingClientRect().top - 8,
             document.querySelectorAll(".gallery article")[3].getBoundingClientRect().top - 10]"""
# Halfway between light and dark: nobody knows on which ground a README stands.
_COLOURS = """<style>
:root { --ink: #6e7781; --line: #8b949e66; --accent: #2f81f7; --warm: #d1662b; font-family: sans-serif; }
</style>"""
_NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def main() -> None:
    """Writes both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, metavar="REPORT_DIR")
    page = (parser.parse_args().report / "index.html").resolve()
    write_screenshot(page, FOLDER / "report.png")
    write_curve(page, FOLDER / "accuracy.svg")


def write_screenshot(page: Path, file: Path) -> None:
    """In 256 colours, which a page of text and lines hardly needs more of."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        tab = browser.new_page(viewport={"width": _WIDTH, "height": 900}, color_scheme="light")
        tab.goto(page.as_uri())
        whole = Image.open(io.BytesIO(tab.screenshot(full_page=True))).convert("RGB")
        head_end, errors, errors_end = (int(edge) for edge in tab.evaluate(_EDGES))
        browser.close()
    picture = Image.new("RGB", (_WIDTH, head_end + errors_end - errors))
    picture.paste(whole.crop((0, 0, _WIDTH, head_end)))
    picture.paste(whole.crop((0, errors, _WIDTH, errors_end)), (0, head_end))
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def write_curve(page: Path, file: Path) -> None:
    """Where the page gives a chart its colours, a picture must bring them along."""
    charts = re.findall(r'<svg class="chart".*?</svg>', page.read_text(), flags=re.DOTALL)
    (curve,) = [chart for chart in charts if 'id="accuracy-' in chart]
    opening, rest = curve.split(">", 1)
    opening = opening.replace('<svg class="chart"', f'<svg {_NAMESPACES} width="500"')
    file.write_text(f"{opening}>\n{_COLOURS}{rest}\n")


if __name__ == "__main__":
    main()
