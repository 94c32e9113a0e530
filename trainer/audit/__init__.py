"""Receipts: what each rank consumed, and the proof that every sample came exactly once."""
