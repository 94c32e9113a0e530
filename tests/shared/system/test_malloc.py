import platform
import resource

import pytest

from shared.system.malloc import keep_freed_blocks


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they like")
def test_a_block_of_the_size_of_a_batch_costs_no_page_faults_after_the_first() -> None:
    keep_freed_blocks()
    _take_and_free()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(50):
        _take_and_free()
    num_faults = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before
    assert num_faults < 50, "each block of 2 MiB has 512 pages"


def _take_and_free() -> None:
    bytearray(2 << 20)
