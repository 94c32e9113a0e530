"""The data set service: renders captchas from seeds or serves them from LMDB shards."""
