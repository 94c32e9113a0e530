"""What a running service tells: metrics, logs, finished streams."""
