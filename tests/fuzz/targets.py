"""Everything that reads bytes from outside, each as a function of those bytes, with real artefacts to start from.

Only errors of `shared.errors` may come out. Note: where a checksum guards a decoder, a target also puts the
right one on the bytes, for an input that is only refused by its checksum says nothing about what is behind it.
"""

from tests.fuzz.attempts import MakeTarget
from tests.fuzz.imported_targets import IMPORTED_TARGETS
from tests.fuzz.stored_targets import STORED_TARGETS
from tests.fuzz.wire_targets import WIRE_TARGETS

TARGETS: dict[str, MakeTarget] = {**WIRE_TARGETS, **STORED_TARGETS, **IMPORTED_TARGETS}
