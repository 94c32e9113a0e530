"""The data set as pure functions: its spec, its seeds, its reading order, each rank's slice."""
