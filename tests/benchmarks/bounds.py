"""What streaming from shards could reach at most on this machine's cores, out of what its parts cost alone, as if these
filled all cores and nothing else were to do.

They are those of the cheapest reader and service there can be with this contract over grpcio: gRPC with messages that
lie ready, reading records with their checksums compared, decoding them.
"""

import os
from collections.abc import Mapping
from typing import Any

_PER = 1e5
"Images, of the CPU seconds in the JSON lines."


def streaming(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, float] | None:
    """images/s over tf.data service's, and raw over a bare socket's; None without `bench_peer` and `bench_read`."""
    peer, read = results.get("peer"), results.get("read")
    if peer is None or read is None:
        return None
    zstd_s = peer["gRPC_alone_zstd"]["cpu_s_per_100k"] + _PER / read["zstd_images_per_s"]
    zstd_s += _PER / read["zstd_decode_images_per_s"]
    raw_s = peer["gRPC_alone_raw"]["cpu_s_per_100k"] + _PER / read["raw_images_per_s"]
    cores = len(os.sched_getaffinity(0))
    return {
        "times_peer": round(cores * _PER / zstd_s / peer["tf.data_service"]["images_per_s"], 2),
        "raw_ratio_to_bare_socket": round(cores * _PER / raw_s / peer["bare_socket"]["images_per_s"], 3),
    }
