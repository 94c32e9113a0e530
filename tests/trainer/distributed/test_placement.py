"""Where ranks are placed."""

import json
import socket
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from shared.errors import UsageError
from tests.trainer.distributed.tables.rank_tables import table
from trainer.distributed.placement import Placement, check_master, place_by_table, place_on_this_host
from trainer.distributed.tables.rank_table import RankTable, read_rank_table


def _table(folder: Path, *addresses: str) -> RankTable:
    values = table(*[2 for _ in addresses])
    for server, address in zip(values["server_list"], addresses, strict=True):
        server["server_id"] = address
    file = folder / "rank_table.json"
    file.write_text(json.dumps(values))
    return read_rank_table(file)


def test_ranks_of_one_host_take_its_devices_in_order() -> None:
    placement = place_on_this_host(3)
    assert [(device.rank, device.device_id) for device in placement.devices] == [(0, 0), (1, 1), (2, 2)]
    assert (placement.num_nodes, placement.first_rank, placement.table) == (1, 0, None)


def test_a_host_finds_itself_in_the_table_by_its_address(tmp_path: Path) -> None:
    placement = place_by_table(_table(tmp_path, "198.51.100.7", "127.0.0.1"), None, None, None)
    assert (placement.node, placement.ranks, placement.first_rank) == (1, 4, 2)
    assert (placement.master_addr, placement.master_port) == ("198.51.100.7", 8118)
    assert placement.table is not None
    assert [server["pod_ip"] for server in placement.table["server_list"]] == ["198.51.100.7", "127.0.0.1"]


def test_flags_win_over_what_the_table_says(tmp_path: Path) -> None:
    placement = place_by_table(_table(tmp_path, "198.51.100.7", "198.51.100.8"), 0, "198.51.100.9", 9000)
    assert (placement.node, placement.master_addr, placement.master_port) == (0, "198.51.100.9", 9000)


def test_a_table_of_one_server_needs_no_address(tmp_path: Path) -> None:
    placement = place_by_table(_table(tmp_path, "node_0"), None, None, None)
    assert (placement.node, placement.master_addr) == (0, "127.0.0.1")


def _written(folder: Path, values: dict[str, Any]) -> RankTable:
    file = folder / "rank_table.json"
    file.write_text(json.dumps(values))
    return read_rank_table(file)


def test_a_container_finds_itself_by_its_own_address_and_takes_the_others_from_the_same_key(tmp_path: Path) -> None:
    values = table(2, 2)
    for server, address in zip(values["server_list"], ("198.51.100.7", "127.0.0.1"), strict=True):
        server |= {"server_id": f"node-{address}", "container_ip": address, "host_ip": "203.0.113.5"}
    placement = place_by_table(_written(tmp_path, values), None, None, None)
    assert (placement.node, placement.address, placement.master_addr) == (1, "127.0.0.1", "198.51.100.7")
    assert placement.table is not None
    assert [server["pod_ip"] for server in placement.table["server_list"]] == ["198.51.100.7", "127.0.0.1"]


def test_where_only_the_machines_address_is_this_hosts_all_are_taken_from_there(tmp_path: Path) -> None:
    values = table(2, 2)
    for number, server in enumerate(values["server_list"]):
        server |= {"container_ip": f"172.16.0.{number}", "host_ip": ("198.51.100.7", "127.0.0.1")[number]}
    placement = place_by_table(_written(tmp_path, values), None, None, None)
    assert (placement.node, placement.address, placement.master_addr) == (1, "127.0.0.1", "198.51.100.7")


def test_servers_with_names_only_are_placed_by_their_numbers(tmp_path: Path) -> None:
    values = table(2, 2)
    for server, ranks in zip(values["server_list"], ("23", "01"), strict=True):
        server["server_id"] = f"node-{ranks}"
        for device, rank in zip(server["device"], ranks, strict=True):
            device["rank_id"] = rank
    read = _written(tmp_path, values)
    placement = place_by_table(read, 0, "127.0.0.1", None)
    assert (placement.node, placement.number, placement.table) == (0, 1, None)
    assert (placement.first_rank, placement.address, placement.master_port) == (2, "127.0.0.1", 8118)
    with pytest.raises(UsageError, match="pass --node-rank and --master-addr on every host"):
        place_by_table(read, None, "127.0.0.1", None)


@pytest.mark.parametrize("port", [0, -5, 99999])
def test_a_port_out_of_range_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"--master-port must be in 1\.\.65535, got {port}"):
        place_by_table(_table(tmp_path, "127.0.0.1", "198.51.100.7"), None, None, port)


def _refused(placement: Placement) -> str:
    started = time.monotonic()
    with pytest.raises(UsageError) as caught:
        check_master(placement)
    assert time.monotonic() - started < 10
    return str(caught.value)


def test_a_master_where_ranks_cannot_meet_is_one_line_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = _table(tmp_path, "127.0.0.1", "198.51.100.7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = _refused(place_by_table(several, None, "127.0.0.1", port))
    assert message == f"cannot listen on 127.0.0.1:{port}: address already in use; choose another --master-port"
    assert "--master-addr nobody.invalid is unknown" in _refused(place_by_table(several, None, "nobody.invalid", None))
    elsewhere = place_by_table(several, None, "192.0.2.1", None)
    for error, reason in (
        (OSError(113, "No route to host"), "No route to host"),
        (TimeoutError(), "no answer in time"),
    ):
        monkeypatch.setattr(socket, "create_connection", Mock(side_effect=error))
        assert f"192.0.2.1, where all ranks meet, cannot be reached: {reason}" in _refused(elsewhere)
    single = _table(tmp_path, "127.0.0.1")
    assert "is no address of this host" in _refused(place_by_table(single, None, "198.51.100.7", None))


@pytest.mark.parametrize(
    ("master", "reason"),
    [("x" * 64 + ".example", "is unknown: no name of a host"), ("a..b", "is unknown: no name of a host")],
)
def test_a_master_that_is_no_name_at_all_is_one_line(master: str, reason: str, tmp_path: Path) -> None:
    several = _table(tmp_path, "127.0.0.1", "198.51.100.7")
    assert reason in _refused(place_by_table(several, None, master, None))


def test_ipv4_and_ipv6_do_not_meet(tmp_path: Path) -> None:
    several = _table(tmp_path, "127.0.0.1", "198.51.100.7")
    message = "--master-addr ::1 and this host's address 127.0.0.1 are not both IPv4 or both IPv6"
    assert _refused(place_by_table(several, None, "::1", None)) == message


def test_an_empty_master_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--master-addr is empty"):
        place_by_table(_table(tmp_path, "127.0.0.1", "198.51.100.7"), None, "", None)


def test_a_master_of_this_host_is_accepted(tmp_path: Path) -> None:
    check_master(place_by_table(_table(tmp_path, "127.0.0.1"), None, None, None))


@pytest.mark.parametrize(
    ("addresses", "node", "message"),
    [
        (("198.51.100.7", "198.51.100.8"), None, "none of the rank table's servers .* pass --node-rank"),
        (("127.0.0.1", "127.0.0.2"), None, "several of the rank table's servers .* pass --node-rank"),
        (("198.51.100.7", "198.51.100.8"), 2, r"--node-rank must be in 0\.\.1, got 2"),
        (("node_0", "198.51.100.8"), 0, r"server_list\[0\]: server_id 'node_0' is not an IP address"),
    ],
)
def test_a_host_that_cannot_be_found_is_named(
    addresses: tuple[str, ...], node: int | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        place_by_table(_table(tmp_path, *addresses), node, None, None)
