"""`verify`: every stored record checked, and repaired on request."""

import argparse
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

from datagen_server.importing.origins import Originals
from datagen_server.shards.manifest import Plan
from datagen_server.shards.verify import Verified, verify
from shared.dataset.fonts import FontFiles
from shared.errors import UsageError
from shared.system.progress import progress


def run(options: argparse.Namespace) -> int:
    """Prints every damaged record; 1 when damage remains."""
    if options.sources and not options.repair:
        raise UsageError("--source is for --repair: verifying reads the shards alone")
    verified = verify(
        options.directory,
        repair=options.repair,
        font_files=FontFiles.read(options.fonts),
        open_progress=partial(progress, "verify", unit="records"),
        open_maker=partial(_open_originals, options.sources) if options.sources else None,
    )
    damage_left = verified.num_damaged - verified.num_repaired
    if options.json:
        print(json.dumps(_as_json(verified)))
    else:
        for finding in verified.findings:
            print(finding)
        print(f"{options.directory}: {_as_text(verified)}")
    return 1 if damage_left else 0


def _open_originals(paths: Sequence[Path], directory: Path, plan: Plan) -> AbstractContextManager[Originals]:
    return closing(Originals(directory, plan, paths))


def _as_json(verified: Verified) -> dict[str, object]:
    return {
        "records": verified.num_records,
        "damaged": verified.num_damaged,
        "repaired": verified.num_repaired,
        "shards": verified.num_shards,
        "digest": verified.digest,
    }


def _as_text(verified: Verified) -> str:
    found = f"{verified.num_records:,} records in {verified.num_shards} shards, {verified.num_damaged:,} damaged"
    if verified.num_damaged > verified.num_repaired:
        return f"{found}, {verified.num_repaired:,} repaired"
    repaired = f", {verified.num_repaired:,} repaired" if verified.num_damaged else ""
    return f"{found}{repaired}{', manifest written' if verified.joined else ''}; digest {verified.digest}"
