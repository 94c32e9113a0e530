"""Rendering on one core: ours against the captcha library as it is, the same draws, in turns, in one run.

    python -m tests.benchmarks.rendering.bench_render [--rounds N] [--samples N] [--style NAME ...] [--pillow]

The ratio is the median over the rounds of (the library's time / our time) in CPU seconds of this process, so that other
work on the machine disturbs it little. The library draws from the same seeded stream, not from the system's slower one.
With --pillow ours is what is drawn where Numba is not installed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from datagen_server.rendering.pictures.picture import Picture, quickest_picture
from datagen_server.rendering.pictures.pillow import PillowPicture
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.fonts import FontFiles
from shared.dataset.spec import DatasetSpec
from tests.datagen_server.stock import StockRenderer
from tests.support.fonts import chinese_characters, find_fonts

Render = Callable[[str, int], tuple[NDArray[np.uint8], str]]
_ALPHANUMERIC = {"alphabet": "0123456789abcdefghijklmnopqrstuvwxyz", "min_length": 5, "max_length": 6, "width": 200}
SPECS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "letters and digits": _ALPHANUMERIC,
    "small fonts": {"styles": [{"font_sizes": [12, 16, 20]}]},
    "large fonts": {"width": 400, "height": 160, "styles": [{"font_sizes": [120, 140]}]},
    "upright": {"styles": [{"character_rotate": [0, 0]}]},
    "unwarped": {"styles": [{"character_warp_dx": [0, 0], "character_warp_dy": [0, 0]}]},
    "upright and unwarped": {
        "styles": [{"character_rotate": [0, 0], "character_warp_dx": [0, 0], "character_warp_dy": [0, 0]}]
    },
    "warped a lot": {"styles": [{"character_warp_dx": [0, 1.5], "character_warp_dy": [0, 1.5]}]},
    "no spaces": {"styles": [{"word_space_probability": 1}]},
    "one given colour": {"styles": [{"bg_color": [255, 255, 255], "fg_color": [20, 40, 60]}]},
    "faint": {"styles": [{"fg_opacity_range": [40, 90]}]},
    "no noise": {"styles": [{"noise_dots": 0, "noise_curves": 0}]},
    "much noise": {"styles": [{"noise_dots": 300, "noise_curves": 4}]},
    "several styles": {"styles": [{}, {"noise_dots": 100, "weight": 2}, {"font_sizes": [30]}]},
}


def main() -> None:
    """Prints the table, then one JSON line."""
    cases = dict(_cases())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="default %(default)s")
    parser.add_argument("--samples", type=int, default=200, help="in each round; default %(default)s")
    parser.add_argument("--style", nargs="+", choices=cases, default=list(cases), help="default: all")
    parser.add_argument("--pillow", action="store_true", help="draw ours with Pillow alone")
    options = parser.parse_args()
    table = Table("spec", "captcha library, images/s/core", "ours, images/s/core", "ratio")
    results = {}
    for name in options.style:
        result = results[name] = _compare(*cases[name], options)
        rates = (f"{result[key]:,}" for key in ("library_images_per_s_per_core", "images_per_s_per_core"))
        table.add_row(name, *rates, f"{result['ratio']:.2f}")
    Console().print(table)
    print(
        json.dumps(
            {
                "benchmark": "render",
                "picture": _picture(options).__name__,
                **results.get("default", {}),
                "specs": results,
            }
        )
    )


def _cases() -> Iterator[tuple[str, tuple[DatasetSpec, FontFiles]]]:
    """Those with fonts of the system only where they are installed."""
    for name, values in SPECS.items():
        yield name, (DatasetSpec.from_mapping(values), FontFiles())
    if latin := find_fonts("DejaVuSerif.ttf", "LiberationSerif-Italic.ttf"):
        files = FontFiles.read(latin)
        fonts = [vars(file.font) for file in files.files]
        yield "two fonts", (DatasetSpec.from_mapping({**_ALPHANUMERIC, "styles": [{"fonts": fonts}]}), files)
    if chinese := find_fonts("wqy-microhei.ttc"):
        files = FontFiles.read(chinese)
        values = {"alphabet": chinese_characters(3500), "min_length": 4, "max_length": 6, "width": 240}
        fonts = [vars(file.font) for file in files.files]
        yield "Chinese", (DatasetSpec.from_mapping({**values, "styles": [{"fonts": fonts}]}), files)


def _compare(spec: DatasetSpec, files: FontFiles, options: argparse.Namespace) -> dict[str, Any]:
    ours, library = CaptchaRenderer(spec, files, _picture(options)).render, StockRenderer(spec, files).render
    identical = all(np.array_equal(ours("train", i)[0], library("train", i)[0]) for i in range(options.samples))
    rounds = [(_seconds(ours, n, options), _seconds(library, n, options)) for n in range(options.rounds)]
    our_rate, library_rate = (options.samples / statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(theirs / mine for mine, theirs in rounds)
    return {
        "images_per_s_per_core": round(our_rate),
        "library_images_per_s_per_core": round(library_rate),
        "ratio": round(ratio, 3),
        "ratio_worst_round": round(min(theirs / mine for mine, theirs in rounds), 3),
        "pixels_identical": identical,
    }


def _picture(options: argparse.Namespace) -> type[Picture]:
    return PillowPicture if options.pillow else quickest_picture()


def _seconds(render: Render, number: int, options: argparse.Namespace) -> float:
    first = number * options.samples
    started = time.process_time()
    for index in range(first, first + options.samples):
        render("train", index)
    return time.process_time() - started


if __name__ == "__main__":
    main()
