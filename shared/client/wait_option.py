"""`--wait S`, of every command that reads from a service which may still be starting."""

import argparse
import math

from shared.client.retry import RetryPolicy
from shared.errors import UsageError


def add_wait_option(parser: argparse.ArgumentParser) -> None:
    """Adds it, for a command that has `--datagen`."""
    default_s = RetryPolicy().connect_timeout_s
    help_text = f"seconds to wait for a service at --datagen that is still starting; default {default_s:g}"
    parser.add_argument("--wait", metavar="S", type=_seconds, help=help_text)


def retry_policy_of(options: argparse.Namespace) -> RetryPolicy:
    """What was given; raises `UsageError` for a wait without a target."""
    if options.wait is None:
        return RetryPolicy()
    if options.datagen is None:
        raise UsageError("--wait is for a service that runs elsewhere; give --datagen too")
    return RetryPolicy(connect_timeout_s=options.wait)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0, got {text!r}")
    return value
