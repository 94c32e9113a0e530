"""What travels between service and reader: requests, messages, codecs, batches."""
