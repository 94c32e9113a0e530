"""Rank tables: what is read, and how every broken rule is named with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from trainer.distributed.rank_table import read_rank_table

Table = dict[str, Any]


def _device(rank: int, number: int, server: int = 0) -> Table:
    return {"device_id": str(number), "device_ip": f"192.168.{server}.{number + 1}", "rank_id": str(rank)}


def table(*sizes: int) -> Table:
    """A correct version 1.0 table with servers of these sizes."""
    servers, rank = [], 0
    for number, size in enumerate(sizes):
        devices = [_device(rank + device, device, number) for device in range(size)]
        servers.append({"server_id": f"10.0.0.{number + 1}", "host_nic_ip": "reserve", "device": devices})
        rank += size
    return {"version": "1.0", "status": "completed", "server_count": str(len(sizes)), "server_list": servers}


def super_pod_table() -> Table:
    """A correct version 1.2 table: two servers in one super-pod."""
    values = table(2, 2) | {"version": "1.2"}
    for server in values["server_list"]:
        for device in server["device"]:
            device["super_device_id"] = device["rank_id"]
    members = [{"server_id": server["server_id"]} for server in values["server_list"]]
    return values | {"super_pod_list": [{"super_pod_id": "0", "server_list": members}]}


def _write(folder: Path, values: Any) -> Path:
    file = folder / "rank_table.json"
    file.write_text(values if isinstance(values, str) else json.dumps(values))
    return file


def test_a_table_places_every_rank(tmp_path: Path) -> None:
    read = read_rank_table(_write(tmp_path, table(2, 3)))
    assert (read.version, read.ranks) == ("1.0", 5)
    assert [dict(server.addresses) for server in read.servers] == [{"server_id": "10.0.0.1"}, {"server_id": "10.0.0.2"}]
    assert [server.first_rank for server in read.servers] == [0, 2]
    assert [(device.rank, device.device_id) for device in read.servers[1].devices] == [(2, 0), (3, 1), (4, 2)]


def test_a_super_pod_table_is_read(tmp_path: Path) -> None:
    assert read_rank_table(_write(tmp_path, super_pod_table())).version == "1.2"


def test_one_server_needs_no_device_ip(tmp_path: Path) -> None:
    values = table(2)
    for device in values["server_list"][0]["device"]:
        del device["device_ip"]
    assert read_rank_table(_write(tmp_path, values)).ranks == 2


def test_a_name_as_server_id_has_no_address_unless_host_ip_gives_it(tmp_path: Path) -> None:
    values = table(1, 1)
    values["server_list"][0]["server_id"] = "node_0"
    values["server_list"][1] |= {"server_id": "node_1", "host_ip": "10.1.1.1"}
    read = read_rank_table(_write(tmp_path, values))
    assert [dict(server.addresses) for server in read.servers] == [{}, {"host_ip": "10.1.1.1"}]


def test_a_container_has_an_address_of_its_own_beside_its_machines(tmp_path: Path) -> None:
    values = table(1, 1)
    for number, server in enumerate(values["server_list"]):
        server |= {"container_ip": f"172.16.0.{number + 1}", "host_ip": "10.0.0.9"}
    first, _ = read_rank_table(_write(tmp_path, values)).servers
    assert list(first.addresses.items()) == [
        ("container_ip", "172.16.0.1"),
        ("host_ip", "10.0.0.9"),
        ("server_id", "10.0.0.1"),
    ]


def _without(*keys: str) -> Callable[[Table], Table]:
    """Takes these keys out of the table and of all its devices."""

    def change(values: Table) -> Table:
        for server in values["server_list"]:
            for device in server["device"]:
                for key in keys:
                    device.pop(key, None)
        return {key: value for key, value in values.items() if key not in keys}

    return change


@pytest.mark.parametrize(
    "keys", [("device_ip",), ("super_pod_list",), ("server_count",), ("device_ip", "super_pod_list", "server_count")]
)
def test_a_super_pod_needs_no_key_that_its_generators_leave_out(keys: tuple[str, ...], tmp_path: Path) -> None:
    read = read_rank_table(_write(tmp_path, _without(*keys)(super_pod_table())))
    assert (read.version, read.ranks) == ("1.2", 4)


def test_an_empty_device_ip_of_a_single_server_is_none(tmp_path: Path) -> None:
    values = table(2)
    for device in values["server_list"][0]["device"]:
        device["device_ip"] = ""
    assert read_rank_table(_write(tmp_path, values)).ranks == 2


def test_the_derived_table_numbers_devices_from_0_in_their_order_and_keeps_ranks_and_all_other_keys(
    tmp_path: Path,
) -> None:
    values = table(2)
    values["server_list"][0]["device"] = [_device(1, 5), _device(0, 4)]
    derived = read_rank_table(_write(tmp_path, values)).derived(["127.0.0.1"])
    server = derived["server_list"][0]
    assert (server["pod_ip"], server["host_nic_ip"]) == ("127.0.0.1", "reserve")
    assert [(device["device_id"], device["rank_id"]) for device in server["device"]] == [("0", "1"), ("1", "0")]
    assert derived["status"] == "completed"


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_every_table_of_consecutive_servers_is_read_and_no_rank_is_lost(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    read = read_rank_table(_write(tmp_path_factory.mktemp("tables"), table(*sizes)))
    assert sorted(device.rank for server in read.servers for device in server.devices) == list(range(sum(sizes)))


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
    _check_refused(_write(tmp_path, change(table(2, 2))), message)


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
    _check_refused(_write(tmp_path, change(super_pod_table())), message)


def test_interleaved_servers_are_refused(tmp_path: Path) -> None:
    values = table(2, 2)
    values["server_list"][0]["device"][1]["rank_id"] = "2"
    values["server_list"][1]["device"][0]["rank_id"] = "1"
    _check_refused(
        _write(tmp_path, values),
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
    _check_refused(_write(tmp_path, text), message)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the rank table .*none\.json: No such file or directory"):
        read_rank_table(tmp_path / "none.json")
