"""Trainers: one MindSpore process per rank, each streaming its slice of every global batch."""

# Import sorting puts MindSpore before our own packages; but this import must come before MindSpore.
import shared.recogniser as _before_mindspore  # noqa: F401
