"""A pool of worker processes, any of which may be killed."""
