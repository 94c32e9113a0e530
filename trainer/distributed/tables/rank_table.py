"""HCCL rank tables, versions 1.0 and 1.2: on which device of which server each rank runs.

The format is Huawei's ("rank table file configuration" in the HCCL user guide). Note: all its values are
strings, numbers too, and MindSpore silently ignores a table that it cannot use. So every rule is checked here, and each
message names the place: "rank_table.json: server_list[0].device[1].rank_id must be ..., got ...".
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from trainer.distributed.tables.json_part import Part, check_unique, is_address, unique_keys

VERSIONS = ("1.0", "1.2")
_ADDRESS_KEYS = "pod_ip", "container_ip", "host_ip", "server_ip"
"Where generators write a server's address; a container has one of its own, and `host_ip` is then its machine's."
_OTHER_FORMATS = {
    "rank_list": "a version 2.0 table (rank_list)",
    "group_list": "a group table (group_list)",
    "server_group_list": "a group table (server_group_list)",
}


@dataclass(frozen=True)
class RankedDevice:
    """One accelerator and the rank that runs on it."""

    rank: int
    device_id: int
    "Physical number on its server."


@dataclass(frozen=True)
class Server:
    """One host of the table."""

    server_id: str
    addresses: Mapping[str, str]
    "IP addresses by key, the likelier one to be the host's own first; none where there is only a name."
    devices: tuple[RankedDevice, ...]
    "In the order of the table."

    @property
    def first_rank(self) -> int:
        """The lowest rank on this host; the others follow without a gap."""
        return min(device.rank for device in self.devices)


@dataclass(frozen=True)
class RankTable:
    """A checked table."""

    version: str
    servers: tuple[Server, ...]
    values: Mapping[str, Any]
    "The JSON as it was read."

    @property
    def ranks(self) -> int:
        """The world size: how many ranks there are, over all servers."""
        return sum(len(server.devices) for server in self.servers)

    def derived(self, addresses: Sequence[str]) -> dict[str, Any]:
        """The table as MindSpore's launcher understands it: a `pod_ip` for each server, its devices numbered from 0.

        The launcher gives each process the number of its device among those it may see, not the physical one.
        """
        servers = []
        for values, address in zip(self.values["server_list"], addresses, strict=True):
            devices = [device | {"device_id": str(number)} for number, device in enumerate(values["device"])]
            servers.append(values | {"pod_ip": address, "device": devices})
        return {**self.values, "server_list": servers}


def read_rank_table(path: Path) -> RankTable:
    """The table in `path`; raises `UsageError` with the place of the first rule it breaks."""
    try:
        values = json.loads(path.read_text(), object_pairs_hook=unique_keys)
    except OSError as error:
        raise UsageError(f"cannot read the rank table {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise UsageError(f"{path} {problem}; is the file complete?") from error
    except (ValueError, RecursionError) as error:  # Also a number of thousands of digits, and thousands of brackets.
        raise UsageError(f"{path} is not JSON: {error}") from error
    return _table(Part(path.name, "", values))


def _table(root: Part) -> RankTable:
    _check_format(root)
    parts, version = root.parts("server_list"), root.text("version")
    if (version == "1.0" or "server_count" in root.values) and root.number("server_count") != len(parts):
        found = f"must be the length of server_list ({len(parts)})"
        root.fail("server_count", f'{found}, got "{root.values["server_count"]}"')
    devices = [device for part in parts for device in part.parts("device")]
    check_unique([(part, "server_id", part.text("server_id")) for part in parts])
    _check_addresses(devices, version, several_servers=len(parts) > 1)
    _check_ranks(devices)
    if "super_pod_list" in root.values:
        _check_super_pods(root, devices, [part.text("server_id") for part in parts])
    return RankTable(version, tuple(_server(part) for part in parts), root.values)


def _check_format(root: Part) -> None:
    for key, what in _OTHER_FORMATS.items():
        if key in root.values:
            raise UsageError(f"{root.file} is {what}; this trainer reads versions {' and '.join(VERSIONS)}")
    # A generator that has not finished may have written nothing else.
    if root.values.get("status", "completed") != "completed":
        root.fail("status", f'must be "completed", got "{root.text("status")}"; wait until its generator has finished')
    if (version := root.text("version")) not in VERSIONS:
        root.fail("version", f'must be {" or ".join(VERSIONS)}, got "{version}"')
    root.text("status")
    if version == "1.0" and "super_pod_list" in root.values:
        root.fail("super_pod_list", "belongs to version 1.2, but version is 1.0")


def _server(part: Part) -> Server:
    devices = [RankedDevice(device.number("rank_id"), device.number("device_id")) for device in part.parts("device")]
    check_unique([(device, "device_id", device.text("device_id")) for device in part.parts("device")])
    ranks = sorted(device.rank for device in devices)
    if ranks[-1] - ranks[0] != len(ranks) - 1:
        shown = ", ".join(map(str, ranks))
        part.fail("device", f"must hold consecutive ranks (servers may not interleave), got {shown}")
    addresses = {key: part.address(key) for key in _ADDRESS_KEYS if part.values.get(key, "")}
    server_id = part.text("server_id")
    if is_address(server_id):
        addresses["server_id"] = server_id
    return Server(server_id, addresses, tuple(devices))


def _check_addresses(devices: Iterable[Part], version: str, *, several_servers: bool) -> None:
    """A device of several servers needs an address of its own, except in a super pod, where it has another number."""
    given = []
    for device in devices:
        has_none = device.values.get("device_ip", "") == ""
        is_optional = not several_servers or (version == "1.2" and "super_device_id" in device.values)
        if not (has_none and is_optional):
            given.append(device)
    check_unique([(device, "device_ip", device.address("device_ip")) for device in given])


def _check_ranks(devices: Sequence[Part]) -> None:
    ranks = {device.number("rank_id") for device in devices}
    check_unique([(device, "rank_id", str(device.number("rank_id"))) for device in devices])
    gap = next((rank for rank in range(len(devices)) if rank not in ranks), None)
    for device in devices:
        if gap is not None and (rank := device.number("rank_id")) >= len(devices):
            bound = f"must be in 0..{len(devices) - 1} (there are {len(devices)} devices; rank {gap} is missing)"
            device.fail("rank_id", f'{bound}, got "{rank}"')


def _check_super_pods(root: Part, devices: Iterable[Part], server_ids: Sequence[str]) -> None:
    for device in devices:
        device.number("super_device_id")
    pods = root.parts("super_pod_list")
    check_unique([(pod, "super_pod_id", pod.text("super_pod_id")) for pod in pods])
    members = [(member, "server_id", member.text("server_id")) for pod in pods for member in pod.parts("server_list")]
    check_unique(members)
    for member, key, server_id in members:
        if server_id not in server_ids:
            member.fail(key, f'must be a server_id of server_list, got "{server_id}"')
    if missing := set(server_ids) - {server_id for _, _, server_id in members}:
        root.fail("super_pod_list", f'must hold every server, but "{min(missing)}" is missing')
