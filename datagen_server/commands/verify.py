"""`verify`: every stored record checked, and repaired on request."""

import argparse
import json
from functools import partial

from datagen_server.shards.verify import Verified, verify
from shared.dataset.fonts import FontFiles
from shared.system.command_line import progress


def run(options: argparse.Namespace) -> int:
    """Prints every damaged record; 1 when damage remains."""
    verified = verify(
        options.directory,
        repair=options.repair,
        font_files=FontFiles.read(options.fonts),
        open_progress=partial(progress, "verify", unit="records"),
    )
    damage_left = verified.num_damaged - verified.num_repaired
    if options.json:
        print(json.dumps(_as_json(verified)))
    else:
        for finding in verified.findings:
            print(finding)
        print(f"{options.directory}: {_as_text(verified)}")
    return 1 if damage_left else 0


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
