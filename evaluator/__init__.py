"""The evaluator: predicts the test split, every sample exactly once, and reports the figures."""

# Import sorting puts MindSpore before our own packages; but this import must come before MindSpore.
import shared.recogniser as _before_mindspore  # noqa: F401
