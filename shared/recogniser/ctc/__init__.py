"""CTC: loss, greedy decoding, confidence, and how many frames a label needs."""
