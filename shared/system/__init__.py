"""Command line, files, signals, listen addresses, CPU limit: what every program here needs of its system."""
