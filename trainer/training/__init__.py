"""Training on one rank: the loop, the compiled step, the learning rate, the metrics."""
