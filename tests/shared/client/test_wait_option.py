"""`--wait`: a service that comes late is waited for, and no longer than was said."""

import threading
import time

import pytest

from shared.client import connect
from shared.client.wait_option import add_wait_option, retry_policy_of
from shared.errors import UsageError
from shared.system.command_line import CommandParser
from tests.support.services import ServiceProcess


def parser() -> CommandParser:
    parser = CommandParser("reader")
    parser.add_argument("--datagen")
    add_wait_option(parser)
    return parser


def test_a_service_that_starts_later_is_waited_for() -> None:
    with ServiceProcess() as service:
        service.end()
        policy = retry_policy_of(parser().parse_args(["--datagen", service.target, "--wait", "60"]))
        threading.Timer(7, service.start).start()
        started = time.monotonic()
        with connect(service.target, policy) as client:
            assert client.source == "toy"
        assert time.monotonic() - started > 5


def test_it_is_for_a_target_and_counts_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--wait is for a service that runs elsewhere; give --datagen too"):
        retry_policy_of(parser().parse_args(["--wait", "1"]))
    for wrong in ("-1", "soon", "inf", "nan"):
        with pytest.raises(SystemExit):
            parser().parse_args(["--datagen", "x:1", f"--wait={wrong}"])
        assert f"must be a number of seconds from 0, got '{wrong}'" in capsys.readouterr().err
    assert retry_policy_of(parser().parse_args([])).connect_timeout_s == 5.0
