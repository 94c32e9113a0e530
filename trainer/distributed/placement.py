"""Which ranks run on this host, on which devices, and where all ranks connect.

Note: MindSpore numbers the devices that a process may see from 0, and puts ranks where a table says only if
every server of the table has a `pod_ip`, which no generator writes. Hence the derived table; and `join_ranks` checks
the result.
"""

import os
import socket
from dataclasses import dataclass
from typing import Any

from shared.errors import UsageError
from shared.system.process_limit import check_num_processes
from trainer.distributed.rank_table import RankedDevice, RankTable, Server

LOOPBACK = "127.0.0.1"
DEFAULT_MASTER_PORT = 8118
"For several hosts, which must agree on it; the port that MindSpore's launcher takes by default."
_RANK_BYTES = 512 << 20
"The memory that a rank needs at the least: MindSpore's libraries."
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The part of a run that is this host's."""

    ranks: int
    "The world size: over all hosts."
    devices: tuple[RankedDevice, ...]
    "Of this host, in the order in which MindSpore numbers them."
    node: int
    "This host's place among the hosts."
    num_nodes: int
    address: str
    "This host's, as the other hosts see it."
    master_addr: str
    "The host where all ranks connect."
    master_port: int
    table: dict[str, Any] | None
    "The derived rank table."

    @property
    def first_rank(self) -> int:
        """The lowest on this host: the one whose progress is shown here."""
        return min(device.rank for device in self.devices)


def place_on_this_host(ranks: int) -> Placement:
    """`ranks` ranks on the devices 0, 1, ... of this host; raises `UsageError` for fewer than one."""
    check_num_processes("--ranks", ranks, _RANK_BYTES)
    return Placement(
        ranks=ranks,
        devices=tuple(RankedDevice(rank, rank) for rank in range(ranks)),
        node=0,
        num_nodes=1,
        address=LOOPBACK,
        master_addr=LOOPBACK,
        master_port=free_port(),
        table=None,
    )


def place_by_table(table: RankTable, node: int | None, master_addr: str | None, master_port: int | None) -> Placement:
    """This host's part of the table; raises `UsageError` when it is unclear which of the servers this host is.

    node: this host's place in server_list; by default the server whose address is one of this host's.
    master_addr: by default the address of the server with rank 0.
    """
    if len(table.servers) == 1:
        addresses, node = [master_addr or LOOPBACK], node or 0
    else:
        addresses = [_address_of(server, number) for number, server in enumerate(table.servers)]
    node = _own_node(addresses) if node is None else node
    if not 0 <= node < len(table.servers):
        raise UsageError(f"--node-rank must be in 0..{len(table.servers) - 1}, got {node}")
    with_rank_0 = next(place for place, server in enumerate(table.servers) if server.first_rank == 0)
    return Placement(
        ranks=table.ranks,
        devices=table.servers[node].devices,
        node=node,
        num_nodes=len(table.servers),
        address=addresses[node],
        master_addr=master_addr or addresses[with_rank_0],
        master_port=master_port or (free_port() if len(table.servers) == 1 else DEFAULT_MASTER_PORT),
        table=table.derived(addresses),
    )


def free_port() -> int:
    """A port that nobody listens on at the moment, and another one for each process that asks.

    It lies below those that the kernel gives to outgoing connections: one of them could have it before the scheduler,
    which takes seconds to start.
    """
    own = os.getpid() % len(_PORTS)
    return next(port for port in (*_PORTS[own:], *_PORTS[:own]) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _address_of(server: Server, number: int) -> str:
    if server.address is None:
        where = f"server_list[{number}]: server_id {server.server_id!r} is not an IP address"
        raise UsageError(f"{where}; with several servers each needs one, as server_id or host_ip")
    return server.address


def _own_node(addresses: list[str]) -> int:
    own = [number for number, address in enumerate(addresses) if _is_own(address)]
    if len(own) != 1:
        shown = ", ".join(addresses)
        what = "none" if not own else "several"
        raise UsageError(f"{what} of the rank table's servers ({shown}) have an address of this host; pass --node-rank")
    return own[0]


def _is_own(address: str) -> bool:
    """Whether the address is one of this host's: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
