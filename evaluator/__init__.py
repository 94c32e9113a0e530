"""The evaluator: reads the test split, every sample exactly once, and reports."""
