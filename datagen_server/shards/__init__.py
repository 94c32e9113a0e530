"""Samples at rest: LMDB shards that cannot be half-written, are never served wrong, and mend themselves.

In the order of the data: record, work, write, materialize, manifest; then pages, file, opening, heal, source; and
examine, repair, verify.
"""
