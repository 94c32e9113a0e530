"""Who listens to a training while it runs: the terminal, TensorBoard; how long it has waited and will still take."""
