"""The reader inside a framework's own loader: a module for each framework, imported only by those who have it."""
