"""The evaluator: reads the test split, every sample exactly once, and reports."""

# Import sorting puts MindSpore before our own packages; what this does must come before MindSpore all the same.
import shared.recogniser as _before_mindspore  # noqa: F401
