"""How much memory processes use."""

from pathlib import Path


def resident_mb(process: int) -> float:
    """What a process has in memory now."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024
