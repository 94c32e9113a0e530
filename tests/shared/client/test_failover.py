"""Each rank has a home replica, leaves it after a fault, and returns."""

import pytest

from shared.client.failover import Failover
from shared.client.service import Service

TARGETS = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
SERVICES = [Service(target) for target in TARGETS]


def test_ranks_start_at_different_replicas() -> None:
    assert [Failover(SERVICES, rank).service.target for rank in range(4)] == [*TARGETS, TARGETS[0]]


def test_after_faults_the_replicas_are_asked_in_turn() -> None:
    failover, asked = Failover(SERVICES, 1), []
    for _ in range(4):
        asked.append(failover.service.target)
        failover.fail_over()
    assert asked == [*TARGETS[1:], *TARGETS[:2]]


@pytest.mark.parametrize(("after_s", "expected"), [(60.0, TARGETS[2]), (0.0, TARGETS[1])])
def test_a_rank_returns_home_only_some_time_after_the_fault_there(
    monkeypatch: pytest.MonkeyPatch, after_s: float, expected: str
) -> None:
    monkeypatch.setattr("shared.client.failover._RETURN_HOME_AFTER_S", after_s)
    failover = Failover(SERVICES, 1)
    failover.fail_over()
    failover.return_home()
    assert failover.service.target == expected
