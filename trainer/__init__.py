"""Trainers: one MindSpore process per rank, each streaming its slice of every global batch."""
