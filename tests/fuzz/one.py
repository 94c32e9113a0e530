"""`python -m tests.fuzz.one TARGET [libFuzzer's options]`: one fuzzer; see `__main__` for many.

Note: only what is imported under atheris tells it where it has been, so the decoders are imported there.
"""

import sys
import tempfile
from pathlib import Path

import atheris

INSTRUMENTED = ["shared", "datagen_server", "trainer", "yaml", "PIL"]

with atheris.instrument_imports(include=INSTRUMENTED):
    from tests.fuzz.attempts import attempt
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, options = sys.argv[1], sys.argv[2:]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "work").mkdir()
    with atheris.instrument_imports(include=INSTRUMENTED):  # Some are imported when they are first asked for.
        target = TARGETS[name](folder / "work")
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: attempt(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
