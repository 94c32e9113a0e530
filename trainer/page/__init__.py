"""The pages of the trainer: a live one of a training that runs, and one that compares runs."""
