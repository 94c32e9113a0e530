"""Open files: a process may have only so many at a time, which is no fault of the file that it cannot open."""

import errno
import resource

from shared.errors import Unavailable

_WANTED = 65_536
_OUT_OF_HANDLES = errno.EMFILE, errno.ENFILE


def raise_limit() -> None:
    """Allows this process as many open files as it may allow itself, up to 65,536; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return  # Some systems have a lower limit than they say.


def limit() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


def is_out_of_handles(error: OSError) -> bool:
    """Whether a file could not be opened only because too many others are open."""
    return error.errno in _OUT_OF_HANDLES


def check_handles(error: OSError) -> None:
    """Raises `Unavailable` where `is_out_of_handles`: then nothing is known about the file."""
    if is_out_of_handles(error):
        problem = f"too many open files: this process may have {limit()} open at a time"
        raise Unavailable(f"{problem}; raise the limit (ulimit -n)") from error
