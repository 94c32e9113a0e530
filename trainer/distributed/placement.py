"""Which ranks run on this host, on which devices, and where all ranks connect.

Note: MindSpore numbers the devices that a process may see from 0, and puts ranks where a table says only if
every server of the table has a `pod_ip`, which no generator writes. Hence the derived table; and `join_ranks` checks
the result.
"""

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import UsageError
from shared.system.limits import check_num_processes
from shared.system.listen_address import ListenAddress
from trainer.distributed.tables.rank_table import RankedDevice, RankTable, Server

_LOG = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
DEFAULT_MASTER_PORT = 8118
"For several hosts, which must agree on it; the port that MindSpore's launcher takes by default."
_RANK_BYTES = 512 << 20
"The memory that a rank needs at the least: MindSpore's libraries."
_REACH_TIMEOUT_S = 8.0
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
    number: int | None = None
    "This host's place in the order of ranks, for MindSpore's launcher; None where the table says it."

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
    is_single, num_servers = len(table.servers) == 1, len(table.servers)
    if master_port is not None and not 1 <= master_port <= 65535:
        raise UsageError(f"--master-port must be in 1..65535, got {master_port}")
    if master_addr == "":
        raise UsageError("--master-addr is empty; give the address of the server with rank 0, or leave it out")
    if node is not None and not 0 <= node < num_servers:
        raise UsageError(f"--node-rank must be in 0..{num_servers - 1}, got {node}")
    if is_single:
        node, addresses = 0, [master_addr or LOOPBACK]
    elif unnamed := [number for number, server in enumerate(table.servers) if not server.addresses]:
        return _place_by_number(table, node, master_addr, master_port or DEFAULT_MASTER_PORT, unnamed[0])
    else:
        node, key = _own_place(table.servers, node)
        addresses = [server.addresses.get(key) or next(iter(server.addresses.values())) for server in table.servers]
    with_rank_0 = next(place for place, server in enumerate(table.servers) if server.first_rank == 0)
    return Placement(
        ranks=table.ranks,
        devices=table.servers[node].devices,
        node=node,
        num_nodes=num_servers,
        address=addresses[node],
        master_addr=master_addr or addresses[with_rank_0],
        master_port=master_port or (free_port() if is_single else DEFAULT_MASTER_PORT),
        table=table.derived(addresses),
    )


def _place_by_number(
    table: RankTable, node: int | None, master_addr: str | None, master_port: int, unnamed: int
) -> Placement:
    """Where the table has names but no addresses, MindSpore takes each host's number instead of the table."""
    if node is None or master_addr is None:
        where = f"server_list[{unnamed}]: server_id {table.servers[unnamed].server_id!r} is not an IP address"
        remedy = "add a host_ip to each server, or pass --node-rank and --master-addr on every host"
        raise UsageError(f"{where}; with several servers each needs one: {remedy}")
    devices = table.servers[node].devices
    sizes = {len(server.devices) for server in table.servers}
    if len(sizes) > 1:
        raise UsageError("servers without an IP address must have equally many devices; add a host_ip to each server")
    return Placement(
        ranks=table.ranks,
        devices=tuple(sorted(devices, key=lambda device: device.rank)),
        node=node,
        num_nodes=len(table.servers),
        address=address_towards(master_addr, master_port),
        master_addr=master_addr,
        master_port=master_port,
        table=None,
        number=table.servers[node].first_rank // len(devices),
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


def _own_place(servers: Sequence[Server], node: int | None) -> tuple[int, str]:
    """Which server this host is, and the key of its address that is this host's: the others' are under the same key."""
    places = [(number, key) for number, server in enumerate(servers) for key in server.addresses]
    own = [place for place in places if _is_own(servers[place[0]].addresses[place[1]])]
    if node is not None:
        return next(place for place in own + places if place[0] == node)
    if len({number for number, _ in own}) != 1:
        shown = ", ".join(", ".join(dict.fromkeys(server.addresses.values())) for server in servers)
        what = "none" if not own else "several"
        raise UsageError(f"{what} of the rank table's servers ({shown}) have an address of this host; pass --node-rank")
    return own[0]


def check_master(placement: Placement) -> None:
    """Raises `UsageError` when ranks cannot meet at the master's address; takes a few seconds at most.

    Without this MindSpore tries for minutes, and says nothing.
    """
    host, port = placement.master_addr, placement.master_port
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--master-addr {host} is unknown: {_reason(error)}; give an IP address") from error
    own = placement.address
    if all((":" in each) != (":" in own) for each in addresses):
        raise UsageError(f"--master-addr {host} and this host's address {own} are not both IPv4 or both IPv6")
    if any(map(_is_own, addresses)):
        ListenAddress(host, port, "--master-port").check()
    elif placement.num_nodes == 1:
        raise UsageError(f"--master-addr {host} is no address of this host, on which all ranks run; leave it out")
    else:
        _check_reachable(host, port, _REACH_TIMEOUT_S / len(addresses))


def _check_reachable(host: str, port: int, timeout_s: float) -> None:
    """timeout_s: for each address of the host."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except ConnectionRefusedError:
        _LOG.warning("nobody listens at %s port %d yet: start the same command on that host too", host, port)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        remedy = "check --master-addr, by default the address of the server with rank 0"
        raise UsageError(f"the host {host}, where all ranks meet, cannot be reached: {reason}; {remedy}") from error


def address_towards(host: str, port: int) -> str:
    """The address of this host that `host` sees; raises `UsageError` when there is no way to it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # Sends nothing: it only chooses the way.
            return str(probe.getsockname()[0])
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--master-addr {host} cannot be reached: {_reason(error)}") from error


def _reason(error: OSError | UnicodeError) -> str:
    """Why a name cannot be looked up, in a few words; no name at all has a label of more than 63 characters."""
    return (error.strerror if isinstance(error, OSError) else None) or "no name of a host"


def _is_own(address: str) -> bool:
    """Whether the address is one of this host's: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
