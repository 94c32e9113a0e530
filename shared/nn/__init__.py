"""What needs MindSpore and both the trainer and the evaluator use."""
