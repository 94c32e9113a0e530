"""People's own pictures: looked at once, decided about, and written as shards."""

KINDS = ("names", "labels", "webdataset", "ocr-lmdb")
"Of sources, as `--from` calls them."
