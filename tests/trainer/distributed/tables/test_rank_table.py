"""What is read of a correct rank table."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.distributed.tables.rank_tables import Table, device_of, super_pod_table, table, write_table
from trainer.distributed.tables.rank_table import read_rank_table


def test_a_table_places_every_rank(tmp_path: Path) -> None:
    read = read_rank_table(write_table(tmp_path, table(2, 3)))
    assert (read.version, read.ranks) == ("1.0", 5)
    assert [dict(server.addresses) for server in read.servers] == [{"server_id": "10.0.0.1"}, {"server_id": "10.0.0.2"}]
    assert [server.first_rank for server in read.servers] == [0, 2]
    assert [(device.rank, device.device_id) for device in read.servers[1].devices] == [(2, 0), (3, 1), (4, 2)]


def test_a_super_pod_table_is_read(tmp_path: Path) -> None:
    assert read_rank_table(write_table(tmp_path, super_pod_table())).version == "1.2"


def test_one_server_needs_no_device_ip(tmp_path: Path) -> None:
    values = table(2)
    for device in values["server_list"][0]["device"]:
        del device["device_ip"]
    assert read_rank_table(write_table(tmp_path, values)).ranks == 2


def test_a_name_as_server_id_has_no_address_unless_host_ip_gives_it(tmp_path: Path) -> None:
    values = table(1, 1)
    values["server_list"][0]["server_id"] = "node_0"
    values["server_list"][1] |= {"server_id": "node_1", "host_ip": "10.1.1.1"}
    read = read_rank_table(write_table(tmp_path, values))
    assert [dict(server.addresses) for server in read.servers] == [{}, {"host_ip": "10.1.1.1"}]


def test_a_container_has_an_address_of_its_own_beside_its_machines(tmp_path: Path) -> None:
    values = table(1, 1)
    for number, server in enumerate(values["server_list"]):
        server |= {"container_ip": f"172.16.0.{number + 1}", "host_ip": "10.0.0.9"}
    first, _ = read_rank_table(write_table(tmp_path, values)).servers
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
    read = read_rank_table(write_table(tmp_path, _without(*keys)(super_pod_table())))
    assert (read.version, read.ranks) == ("1.2", 4)


def test_an_empty_device_ip_of_a_single_server_is_none(tmp_path: Path) -> None:
    values = table(2)
    for device in values["server_list"][0]["device"]:
        device["device_ip"] = ""
    assert read_rank_table(write_table(tmp_path, values)).ranks == 2


def test_the_derived_table_numbers_devices_from_0_in_their_order_and_keeps_ranks_and_all_other_keys(
    tmp_path: Path,
) -> None:
    values = table(2)
    values["server_list"][0]["device"] = [device_of(1, 5), device_of(0, 4)]
    derived = read_rank_table(write_table(tmp_path, values)).derived(["127.0.0.1"])
    server = derived["server_list"][0]
    assert (server["pod_ip"], server["host_nic_ip"]) == ("127.0.0.1", "reserve")
    assert [(device["device_id"], device["rank_id"]) for device in server["device"]] == [("0", "1"), ("1", "0")]
    assert derived["status"] == "completed"


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_every_table_of_consecutive_servers_is_read_and_no_rank_is_lost(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    read = read_rank_table(write_table(tmp_path_factory.mktemp("tables"), table(*sizes)))
    assert sorted(device.rank for server in read.servers for device in server.devices) == list(range(sum(sizes)))
