"""What decides pixels, as one digest: equal fingerprints mean equal samples, split by split and index by index.

Split sizes are no part of it, so a replica with a larger split has the same fingerprint. It names the causes (versions,
font, machine) and looks at the effect as well: a few samples are rendered and their pixels digested, which catches what
no version tells, such as a library built with other compiler flags.
"""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

from PIL import features

from datagen_server.rendering.glyphs import FONT_PATH, LAYOUT
from datagen_server.rendering.renderer import RENDERER_VERSION, CaptchaRenderer
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import MAX_SPLIT_COUNT, DatasetSpec

_PROBES = [(split, index) for split in ("train", "test") for index in (0, MAX_SPLIT_COUNT - 1)]


def fingerprint(spec: DatasetSpec, font_files: FontFiles = NO_FONTS) -> str:
    """64 hex digits: a SHA-256. Takes some 10 ms with the default spec, most of it for the probe samples.

    font_files: those of the spec's fonts, whose SHA-256 the spec's digest holds. Raises `UsageError` as the renderer.
    """
    causes = {
        "spec": spec.digest(),
        "renderer": RENDERER_VERSION,
        "captcha": version("captcha"),
        "pillow": version("pillow"),
        "freetype": features.version("freetype2"),
        "layout": LAYOUT.name,
        "font": hashlib.sha256(Path(FONT_PATH).read_bytes()).hexdigest(),
        "machine": platform.machine(),
        "probes": _digest_probes(spec, font_files),
    }
    return hashlib.sha256("\n".join(f"{name}={value}" for name, value in causes.items()).encode()).hexdigest()


def _digest_probes(spec: DatasetSpec, font_files: FontFiles) -> str:
    renderer = CaptchaRenderer(spec, font_files)
    digest = hashlib.sha256()
    for split, index in _PROBES:
        pixels, text = renderer.render(split, index)
        digest.update(pixels.data)
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()
