"""HCCL rank tables, versions 1.0 and 1.2: on which device of which server each rank runs.

The format is Huawei's ("rank table file configuration" in the HCCL user guide). Note: all its values are
strings, numbers too, and MindSpore silently ignores a table that it cannot use. So every rule is checked here, and each
message names the place: "rank_table.json: server_list[0].device[1].rank_id must be ..., got ...".
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from shared.errors import UsageError

VERSIONS = ("1.0", "1.2")
_MAX_DIGITS = 9
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
    address: str | None
    "An IP address of the host: its pod_ip, host_ip or server_ip, or a server_id that is one."
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
        values = json.loads(path.read_text(), object_pairs_hook=_unique_keys)
    except OSError as error:
        raise UsageError(f"cannot read the rank table {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise UsageError(f"{path} {problem}; is the file complete?") from error
    except (ValueError, RecursionError) as error:  # Also a number of thousands of digits, and thousands of brackets.
        raise UsageError(f"{path} is not JSON: {error}") from error
    return _table(_Part(path.name, "", values))


class _DuplicateKey(ValueError):
    """A key occurs twice in one JSON object."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(f"the key {next(key for key in keys if keys.count(key) > 1)} occurs twice in one object")
    return values


@dataclass(frozen=True)
class _Part:
    """A JSON object of the file and the path that leads to it."""

    file: str
    path: str
    values: Any

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise UsageError(f"{self.file}: {self.path or 'the table'} must be an object, got {_shown(self.values)}")

    def fail(self, key: str, problem: str) -> NoReturn:
        raise UsageError(f"{self.file}: {self.path + '.' if self.path else ''}{key} {problem}")

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if key not in self.values:
            self.fail(key, "is missing")
        if not isinstance(value, str) or not value:
            self.fail(key, f"must be a non-empty string, got {_shown(value)}")
        return value

    def number(self, key: str) -> int:
        text = self.text(key)
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
            self.fail(key, f"must be a number from 0 in quotes, got {_shown(text)}")
        return int(text)

    def address(self, key: str) -> str:
        text = self.text(key)
        if not _is_address(text):
            self.fail(key, f'must be an IP address, got "{text}"')
        return text

    def parts(self, key: str) -> "list[_Part]":
        if key not in self.values:
            self.fail(key, "is missing")
        values = self.values[key]
        if not isinstance(values, list) or not values:
            self.fail(key, f"must be a non-empty list, got {_shown(values)}")
        prefix = f"{self.path}.{key}" if self.path else key
        return [_Part(self.file, f"{prefix}[{number}]", value) for number, value in enumerate(values)]


def _table(root: _Part) -> RankTable:
    _check_format(root)
    parts = root.parts("server_list")
    if root.number("server_count") != len(parts):
        found = f"must be the length of server_list ({len(parts)})"
        root.fail("server_count", f'{found}, got "{root.values["server_count"]}"')
    version = root.text("version")
    devices = [device for part in parts for device in part.parts("device")]
    _check_unique([(part, "server_id", part.text("server_id")) for part in parts])
    _check_addresses(devices, several_servers=len(parts) > 1)
    _check_ranks(devices)
    if version == "1.2":
        _check_super_pods(root, devices, [part.text("server_id") for part in parts])
    return RankTable(version, tuple(_server(part) for part in parts), root.values)


def _check_format(root: _Part) -> None:
    for key, what in _OTHER_FORMATS.items():
        if key in root.values:
            raise UsageError(f"{root.file} is {what}; this trainer reads versions {' and '.join(VERSIONS)}")
    if (version := root.text("version")) not in VERSIONS:
        root.fail("version", f'must be {" or ".join(VERSIONS)}, got "{version}"')
    if (status := root.text("status")) != "completed":
        root.fail("status", f'must be "completed", got "{status}"; wait until its generator has finished')
    if version == "1.0" and "super_pod_list" in root.values:
        root.fail("super_pod_list", "belongs to version 1.2, but version is 1.0")


def _server(part: _Part) -> Server:
    devices = [RankedDevice(device.number("rank_id"), device.number("device_id")) for device in part.parts("device")]
    _check_unique([(device, "device_id", device.text("device_id")) for device in part.parts("device")])
    ranks = sorted(device.rank for device in devices)
    if ranks[-1] - ranks[0] != len(ranks) - 1:
        shown = ", ".join(map(str, ranks))
        part.fail("device", f"must hold consecutive ranks (servers may not interleave), got {shown}")
    given = [part.address(key) for key in ("pod_ip", "host_ip", "server_ip") if key in part.values]
    own = part.text("server_id")
    address = given[0] if given else own if _is_address(own) else None
    return Server(own, address, tuple(devices))


def _check_addresses(devices: Iterable[_Part], *, several_servers: bool) -> None:
    given = [device for device in devices if several_servers or "device_ip" in device.values]
    _check_unique([(device, "device_ip", device.address("device_ip")) for device in given])


def _check_ranks(devices: Sequence[_Part]) -> None:
    ranks = {device.number("rank_id") for device in devices}
    _check_unique([(device, "rank_id", str(device.number("rank_id"))) for device in devices])
    gap = next((rank for rank in range(len(devices)) if rank not in ranks), None)
    for device in devices:
        if gap is not None and (rank := device.number("rank_id")) >= len(devices):
            bound = f"must be in 0..{len(devices) - 1} (there are {len(devices)} devices; rank {gap} is missing)"
            device.fail("rank_id", f'{bound}, got "{rank}"')


def _check_super_pods(root: _Part, devices: Iterable[_Part], server_ids: Sequence[str]) -> None:
    for device in devices:
        device.number("super_device_id")
    pods = root.parts("super_pod_list")
    _check_unique([(pod, "super_pod_id", pod.text("super_pod_id")) for pod in pods])
    members = [(member, "server_id", member.text("server_id")) for pod in pods for member in pod.parts("server_list")]
    _check_unique(members)
    for member, key, server_id in members:
        if server_id not in server_ids:
            member.fail(key, f'must be a server_id of server_list, got "{server_id}"')
    if missing := set(server_ids) - {server_id for _, _, server_id in members}:
        root.fail("super_pod_list", f'must hold every server, but "{min(missing)}" is missing')


def _check_unique(entries: Iterable[tuple[_Part, str, str]]) -> None:
    seen: dict[str, str] = {}
    for part, key, value in entries:
        if value in seen:
            part.fail(key, f'must be unique, got "{value}" again (also at {seen[value]})')
        seen[value] = f"{part.path}.{key}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
