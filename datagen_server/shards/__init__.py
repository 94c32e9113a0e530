"""Stored samples: LMDB shards that are written atomically, checked on every read, and repaired.

Writing: record, render_chunk, shard_writer, materialize, manifest. Reading: lmdb_reader, shard_file, shard_cache.
Checking: record_scan, digest_cache, verify, repair.
"""

from shared.protocol.codec import Codec

# Here, so that a parser can import them quickly.
DEFAULT_CODEC = Codec.ZSTD
DEFAULT_SHARD_SIZE = 8192
"Samples in a shard."
