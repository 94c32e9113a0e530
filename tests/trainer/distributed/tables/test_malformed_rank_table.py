"""How every broken rule of a rank table is named, with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UsageError
from tests.trainer.distributed.tables.rank_tables import Table, super_pod_table, table, write_table
from trainer.distributed.tables.rank_table import read_rank_table


def _set(path: str, value: Any) -> Callable[[Table], Table]:
    """Puts `value` at a dotted path ("server_list.0.device.1.rank_id") of a two by two table."""

    def change(values: Table) -> Table:
        place: Any = values
        *parents, last = path.split(".")
        for key in parents:
            place = place[int(key) if isinstance(place, list) else key]
        if value is None:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
        return values

    return change


FIRST = "server_list.0.device.0"
AT_FIRST = "server_list[0].device[0]"
SECOND = "server_list.0.device.1"
AT_SECOND = "server_list[0].device[1]"
MALFORMED = [
    (_set("version", None), "version is missing"),
    (_set("version", "3.1"), 'version must be 1.0 or 1.2, got "3.1"'),
    (_set("version", 1.0), "version must be a non-empty string, got 1.0"),
    (_set("version", "2.0"), 'version must be 1.0 or 1.2, got "2.0"'),
    (_set("status", None), "status is missing"),
    (_set("status", "initializing"), 'status must be "completed", got "initializing"; wait until'),
    (_set("server_count", None), "server_count is missing"),
    (_set("server_count", 2), "server_count must be a non-empty string, got 2"),
    (_set("server_count", "3"), 'server_count must be the length of server_list (2), got "3"'),
    (_set("server_count", "two"), 'server_count must be a number from 0 in quotes, got "two"'),
    (_set("server_list", None), "server_list is missing"),
    (_set("server_list", []), "server_list must be a non-empty list, got []"),
    (_set("server_list", {}), "server_list must be a non-empty list, got {}"),
    (_set("server_list.1", "10.0.0.2"), 'server_list[1] must be an object, got "10.0.0.2"'),
    (_set("server_list.0.server_id", None), "server_list[0].server_id is missing"),
    (_set("server_list.0.server_id", ""), 'server_list[0].server_id must be a non-empty string, got ""'),
    (_set("server_list.1.server_id", "10.0.0.1"), 'server_list[1].server_id must be unique, got "10.0.0.1" again'),
    (_set("server_list.1.pod_ip", "host"), 'server_list[1].pod_ip must be an IP address, got "host"'),
    (_set("server_list.1.device", None), "server_list[1].device is missing"),
    (_set("server_list.1.device", []), "server_list[1].device must be a non-empty list, got []"),
    (_set(FIRST, 7), f"{AT_FIRST} must be an object, got 7"),
    (_set(f"{FIRST}.device_id", None), f"{AT_FIRST}.device_id is missing"),
    (_set(f"{FIRST}.device_id", 0), f"{AT_FIRST}.device_id must be a non-empty string, got 0"),
    (_set(f"{SECOND}.device_id", "0"), f'{AT_SECOND}.device_id must be unique, got "0" again'),
    (_set(f"{FIRST}.device_id", "-1"), f'{AT_FIRST}.device_id must be a number from 0 in quotes, got "-1"'),
    (_set(f"{FIRST}.device_ip", None), f"{AT_FIRST}.device_ip is missing"),
    (_set(f"{FIRST}.device_ip", "192.168.1"), f'{AT_FIRST}.device_ip must be an IP address, got "192.168.1"'),
    (_set(f"{SECOND}.device_ip", "192.168.0.1"), f'{AT_SECOND}.device_ip must be unique, got "192.168.0.1" again'),
    (_set(f"{FIRST}.rank_id", None), f"{AT_FIRST}.rank_id is missing"),
    (_set(f"{FIRST}.rank_id", 0), f"{AT_FIRST}.rank_id must be a non-empty string, got 0"),
    (_set(f"{SECOND}.rank_id", "0"), f'{AT_SECOND}.rank_id must be unique, got "0" again (also at {AT_FIRST}.rank_id)'),
    (_set(f"{SECOND}.rank_id", "4"), f"{AT_SECOND}.rank_id must be in 0..3 (there are 4 devices; rank 1 is missing)"),
    (_set("super_pod_list", []), "super_pod_list belongs to version 1.2, but version is 1.0"),
    (_set("rank_list", []), "rank_table.json is a version 2.0 table (rank_list); this trainer reads versions 1.0"),
    (_set("group_list", []), "rank_table.json is a group table (group_list)"),
    (_set("server_group_list", []), "rank_table.json is a group table (server_group_list)"),
]


def _check_refused(file: Path, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rank_table(file)
    assert message in str(caught.value)
    assert file.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("change", "message"), MALFORMED, ids=[message[:60] for _, message in MALFORMED])
def test_a_malformed_table_is_refused_with_the_place(
    change: Callable[[Table], Table], message: str, tmp_path: Path
) -> None:
    _check_refused(write_table(tmp_path, change(table(2, 2))), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(f"{FIRST}.super_device_id", None), f"{AT_FIRST}.super_device_id is missing"),
        (_set("super_pod_list.0.super_pod_id", 0), "super_pod_list[0].super_pod_id must be a non-empty string, got 0"),
        (_set("super_pod_list.0.server_list.1.server_id", "x"), "super_pod_list[0].server_list[1].server_id must be a"),
        (
            _set("super_pod_list.0.server_list.1.server_id", "10.0.0.1"),
            'super_pod_list[0].server_list[1].server_id must be unique, got "10.0.0.1" again',
        ),
        (
            _set("super_pod_list.0.server_list", [{"server_id": "10.0.0.1"}]),
            'super_pod_list must hold every server, but "10.0.0.2" is missing',
        ),
    ],
)
def test_a_malformed_super_pod_table_is_refused_with_the_place(
    change: Callable[[Table], Table], message: str, tmp_path: Path
) -> None:
    _check_refused(write_table(tmp_path, change(super_pod_table())), message)


def test_interleaved_servers_are_refused(tmp_path: Path) -> None:
    values = table(2, 2)
    values["server_list"][0]["device"][1]["rank_id"] = "2"
    values["server_list"][1]["device"][0]["rank_id"] = "1"
    _check_refused(
        write_table(tmp_path, values),
        "server_list[0].device must hold consecutive ranks (servers may not interleave), got 0, 2",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(table(2))[:90], "is not JSON: "),
        ("", "is not JSON: Expecting value at line 1, column 1; is the file complete?"),
        ("[]", "the table must be an object, got []"),
        ('{"status": "initializing"}', 'status must be "completed", got "initializing"; wait until its generator has'),
        ('{"version": "1.0", "version": "1.2"}', "the key version occurs twice in one object"),
    ],
)
def test_a_file_that_holds_no_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    _check_refused(write_table(tmp_path, text), message)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the rank table .*none\.json: No such file or directory"):
        read_rank_table(tmp_path / "none.json")
