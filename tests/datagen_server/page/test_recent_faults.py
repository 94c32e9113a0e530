"""What the status page says about faults."""

import logging

from datagen_server.page.recent_faults import RecentFaults


def test_the_last_warnings_are_kept_newest_first_and_nothing_else() -> None:
    log = logging.getLogger("datagen_server.some_part")
    with RecentFaults() as faults:
        log.info("a stream opened")
        for number in range(50):
            log.warning("fault %d", number)
    log.warning("after the end")
    assert [fault.text for fault in faults.newest_first()] == [f"fault {number}" for number in range(49, 29, -1)]
    assert faults.newest_first()[0].ago.endswith(" s")
