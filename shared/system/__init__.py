"""Operating system: command line, atomic files, locks, signals, listen addresses, CPU limit, memory."""
