"""Who listens to a training while it runs: the terminal, TensorBoard; and how long it will still take."""
