"""The client of a data set service: connect, stream batches, retry, fail over to a replica, prefetch.

    with connect("127.0.0.1:50051") as client, client.stream("train", global_batch_size=64) as stream:
        for batch in stream:
            batch.images, batch.labels, batch.indices, batch.epoch, batch.step

What is listed in `__all__` is the public interface; the rest of the package may change.

- `connect(target, retry_policy, security)` gives a `DatasetClient`: `dataset` (spec, split counts, fingerprint),
  `codecs`, `stream`, `samples`. Used in a `with` block, or closed with `close`. Any thread may use it.
- `client.stream(split, ...)` gives a `BatchStream`, to be iterated by one thread: one rank's part of one epoch, as
  `Batch` values whose arrays are the reader's own to keep but not to write to. Several streams may be open at once.
- `client.open_streams(client.request(split, epoch=epoch, ...) for epoch in range(10))` reads ten epochs, each opened
  while the last batches of the one before are used.
- Errors are those of `shared.errors`, each one line for the user: `Unavailable` when no service has answered for
  `RetryPolicy.give_up_after_s`, `DataLoss` for damage that no replica can replace, `InvalidRequest` and `NotFound` for
  a bad argument. A service that dies, drains or freezes is no error: the stream resumes, there or at a replica.
- `stream.state_dict()` is the place after the last batch; `stream.load_state_dict(state)` goes on there, in a new
  process and with another number of ranks too.
- A client does not survive a fork. Connect in each process: what was opened before a fork belongs to the parent. gRPC's
  support for forks is turned on, without which one in twenty forked readers waits for ever; import this before `grpc`.
- The adapters for frameworks are modules of `shared.client.adapters`, imported by those who have the framework.

A name of `__all__` is imported when it is first asked for: a health check needs the channel alone, not NumPy.
"""

import os
from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")

if TYPE_CHECKING:
    from shared.client.dataset_client import DatasetClient, connect
    from shared.client.prefetch import BatchStream, BatchStreams
    from shared.client.retry import RetryPolicy
    from shared.client.stream_state import StreamState
    from shared.dataset.rank_slice import Remainder
    from shared.protocol.batch import Batch, Sample
    from shared.protocol.codec import Codec
    from shared.security.credentials import Security
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "Batch": "shared.protocol.batch",
            "BatchStream": "shared.client.prefetch",
            "BatchStreams": "shared.client.prefetch",
            "Codec": "shared.protocol.codec",
            "DatasetClient": "shared.client.dataset_client",
            "Remainder": "shared.dataset.rank_slice",
            "RetryPolicy": "shared.client.retry",
            "Sample": "shared.protocol.batch",
            "Security": "shared.security.credentials",
            "StreamState": "shared.client.stream_state",
            "connect": "shared.client.dataset_client",
        },
    )

__all__ = [
    "Batch",
    "BatchStream",
    "BatchStreams",
    "Codec",
    "DatasetClient",
    "Remainder",
    "RetryPolicy",
    "Sample",
    "Security",
    "StreamState",
    "connect",
]
