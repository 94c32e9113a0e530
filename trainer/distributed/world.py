"""Which rank a process is, and the world size."""

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """One rank's place among the ranks of a run."""

    rank: int
    "From 0."
    ranks: int
    "The world size: how many ranks there are."


SINGLE_RANK = World(rank=0, ranks=1)
