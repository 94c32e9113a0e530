"""Correct rank tables for tests, and the files that hold them."""

import json
from pathlib import Path
from typing import Any

Table = dict[str, Any]


def device_of(rank: int, number: int, server: int = 0) -> Table:
    return {"device_id": str(number), "device_ip": f"192.168.{server}.{number + 1}", "rank_id": str(rank)}


def table(*sizes: int) -> Table:
    """A correct version 1.0 table with servers of these sizes."""
    servers, rank = [], 0
    for number, size in enumerate(sizes):
        devices = [device_of(rank + device, device, number) for device in range(size)]
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


def write_table(folder: Path, values: Any) -> Path:
    file = folder / "rank_table.json"
    file.write_text(values if isinstance(values, str) else json.dumps(values))
    return file
