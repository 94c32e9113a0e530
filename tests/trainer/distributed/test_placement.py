"""Where ranks are placed."""

import json
from pathlib import Path

import pytest

from shared.errors import UsageError
from tests.trainer.distributed.test_rank_table import table
from trainer.distributed.placement import place_by_table, place_on_this_host
from trainer.distributed.rank_table import RankTable, read_rank_table


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
