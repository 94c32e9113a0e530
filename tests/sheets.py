"""The README's contact sheets of four specs: python -m tests.sheets

.readme/samples.png    the default data set
.readme/letters.png    letters and digits
.readme/hard.png       hard styles
.readme/chinese.png    Chinese, with a font of the system: fonts-wqy-microhei

The last three are of the spec files in .readme/specs.
"""

import sys
from pathlib import Path

from PIL import Image

from datagen_server.cli import main as datagen_server
from tests.support.fonts import find_fonts

FOLDER = Path(__file__).parent.parent / ".readme"
_CHINESE_FONT = "wqy-microhei.ttc"
_NAMES = "samples", "letters", "hard", "chinese"


def main() -> int:
    """Writes all four; 2 when the Chinese font is not installed."""
    fonts = find_fonts(_CHINESE_FONT)
    if not fonts:
        print(f"sheets: {_CHINESE_FONT} is missing; install the package fonts-wqy-microhei", file=sys.stderr)
        return 2
    for name in _NAMES:
        spec, sheet = FOLDER / "specs" / f"{name}.yaml", FOLDER / f"{name}.png"
        described = ["--spec", str(spec)] if spec.exists() else []
        font = ["--font", str(fonts[0])] if name == "chinese" else []
        datagen_server(["preview", *described, *font, "--count", "16", "--out", str(sheet)])
        with Image.open(sheet) as picture:
            fewer_colours = picture.convert("RGB").quantize(256)
        fewer_colours.save(sheet, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
