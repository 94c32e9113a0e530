"""The limit on open files: raised at the start, and told apart from a file that is damaged."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.errors import Unavailable
from shared.system.open_files import check_handles, limit, raise_limit


@pytest.fixture
def limits() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("limits")
def test_the_soft_limit_is_raised_up_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    raise_limit()
    assert limit() == (65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard))


def test_a_command_has_raised_it() -> None:
    code = "from shared.system.command_line import run; from shared.system.open_files import limit; "
    code += "run(lambda _: print(limit()) or 0, 'test')"
    shell = f'ulimit -Sn 300; exec {sys.executable} -c "{code}"'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 300


def test_too_many_open_files_are_an_error_of_their_own() -> None:
    check_handles(OSError(errno.EIO, os.strerror(errno.EIO)))
    for code in (errno.EMFILE, errno.ENFILE):
        with pytest.raises(Unavailable, match=r"too many open files: this process may have \d+ open .*ulimit -n"):
            check_handles(OSError(code, os.strerror(code)))
