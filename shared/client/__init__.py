"""The reader of a data set service: connect, stream batches, retry, fail over, prefetch."""
