"""Trainers: one MindSpore process per rank, each streaming its slice of every global batch."""

# Import sorting puts MindSpore before our own packages; what this does must come before MindSpore all the same.
import shared.recogniser as _before_mindspore  # noqa: F401
