"""Times as people read them."""

from datetime import timedelta


def duration(seconds: float) -> str:
    """A duration: 0.4 s, 12 s, 0:03:20, 2 days, 1:00:00."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return str(timedelta(seconds=int(seconds)))
