"""Where samples come from: one protocol, rendered or read from shards, damaged records healed."""
