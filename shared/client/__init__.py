"""The client of a data set service: connect, stream batches, retry, fail over to a replica, prefetch.

with connect("127.0.0.1:50051") as client, client.stream("train", global_batch_size=64) as stream:
    for batch in stream: ...
"""

from shared.client.dataset_client import DatasetClient, connect
from shared.client.prefetch import BatchStream
from shared.client.retry import RetryPolicy

__all__ = ["BatchStream", "DatasetClient", "RetryPolicy", "connect"]
