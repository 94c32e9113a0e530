"""Picture files of any kind as pixels of one size: what `import` and `predict` have in common."""
