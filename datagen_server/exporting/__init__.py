"""Samples in the layouts of other projects."""
