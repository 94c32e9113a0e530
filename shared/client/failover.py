"""Failover: which replica gets the next call.

Each rank has a home replica, rank modulo replicas, which spreads the load. After a fault of it the others are asked in
turn. A minute later the rank returns home with its next call, so load spreads again after a restart.
"""

import time
from collections.abc import Sequence

from shared.client.service import Service

_RETURN_HOME_AFTER_S = 60.0


class Failover:
    """The choice of one stream among its replicas."""

    def __init__(self, services: Sequence[Service], rank: int) -> None:
        self._services = services
        self._home = self._current = rank % len(services)
        self._return_home_at = 0.0

    @property
    def service(self) -> Service:
        """The replica to call now."""
        return self._services[self._current]

    @property
    def targets(self) -> list[str]:
        """Of all replicas."""
        return [service.target for service in self._services]

    def fail_over(self) -> None:
        """Chooses the next replica, after a fault of this one."""
        if self._current == self._home:
            self._return_home_at = time.monotonic() + _RETURN_HOME_AFTER_S
        self._current = (self._current + 1) % len(self._services)

    def return_home(self) -> None:
        """Chooses the home replica again, unless its last fault was less than a minute ago."""
        if time.monotonic() > self._return_home_at:
            self._current = self._home
