"""What other tools take for the same rows: iproute2's batches, and pyroute2's calls."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from pyroute2 import IPRoute

from benchmarks import many_agents
from navstar.tables import Fdb, Neighbour, Route
from navstar.tables import Row as KernelRow

_PERMANENT = 0x80
_SELF = 0x02


def put_by_iproute2(rows: Iterable[KernelRow]) -> float:
    """The same rows by iproute2's own batches, with routes as people write them."""
    many_agents.ip("link add vtep1024 type vxlan id 1024 dstport 64000 local 10.0.0.1")
    many_agents.ip("addr add 44.128.0.1/12 dev vtep1024")
    many_agents.ip("-6 addr add fd01:a::1/64 dev vtep1024 nodad")
    many_agents.ip("link set vtep1024 up")
    return _batch(rows, "add")


def replace_by_iproute2(rows: Iterable[KernelRow]) -> float:
    """The rows put where others of their key may be."""
    return _batch(rows, "replace")


def _batch(rows: Iterable[KernelRow], verb: str) -> float:
    words = [(type(row), _words(row, verb)) for row in rows]
    with tempfile.TemporaryDirectory(prefix="navstar-benchmark-") as directory:
        other, fdb = Path(directory, "ip"), Path(directory, "bridge")
        other.write_text("\n".join(w for kind, w in words if kind is not Fdb))
        fdb.write_text("\n".join(w for kind, w in words if kind is Fdb))
        began = time.perf_counter()
        subprocess.run(["ip", "-batch", other], check=True)  # noqa: S603, S607
        subprocess.run(["bridge", "-batch", fdb], check=True)  # noqa: S603, S607
        return time.perf_counter() - began


def _words(row: KernelRow, verb: str) -> str:
    match row:
        case Neighbour(link, address, mac):
            return f"neigh {verb} {address} lladdr {mac} dev {link} nud permanent"
        case Fdb(link, mac, agent):
            return f"fdb {verb} {mac} dev {link} dst {agent} self permanent"
        case Route(link, subnet, via, metric, table):
            # As people write them; but to take the place of ours they need its key.
            key = "" if verb == "add" else f" metric {metric}"
            return (
                f"route {verb} {subnet} via {via} dev {link} table {table}{key} onlink"
            )
        case _:
            raise ValueError(row)


def put_by_pyroute2(rows: Iterable[KernelRow]) -> float:
    """The same rows, one call of pyroute2 each."""
    with IPRoute() as kernel:
        kernel.link("add", ifname="vtep1024", kind="vxlan", vxlan_id=1024,
                    vxlan_port=64000, vxlan_local="10.0.0.1")  # fmt: skip
        (index,) = kernel.link_lookup(ifname="vtep1024")
        kernel.addr("add", index=index, address="44.128.0.1", prefixlen=12)
        kernel.addr("add", index=index, address="fd01:a::1", prefixlen=64)
        kernel.link("set", index=index, state="up")
        began = time.perf_counter()
        for row in rows:
            _call(kernel, row, index, "add")
        return time.perf_counter() - began


def replace_by_pyroute2(rows: Iterable[KernelRow]) -> None:
    """The rows put where others of their key may be, a call each."""
    with IPRoute() as kernel:
        (index,) = kernel.link_lookup(ifname="vtep1024")
        for row in rows:
            _call(kernel, row, index, "replace")


def _call(kernel: IPRoute, row: KernelRow, index: int, verb: str) -> None:
    match row:
        case Neighbour(_, address, mac):
            kernel.neigh(
                verb, dst=str(address), lladdr=mac, ifindex=index, state=_PERMANENT
            )
        case Fdb(_, mac, agent):
            kernel.fdb(verb, ifindex=index, lladdr=mac, dst=str(agent),
                       state=_PERMANENT, flags=_SELF)  # fmt: skip
        case Route(_, subnet, via, metric, table):
            key = {} if verb == "add" else {"priority": metric}
            kernel.route(verb, dst=str(subnet), gateway=str(via), oif=index,
                         table=table, flags=4, **key)  # fmt: skip
        case _:
            raise ValueError(row)


def dump_by_pyroute2() -> None:
    """Read every row."""
    with IPRoute() as kernel:
        for rows in (
            *(kernel.get_neighbours(), kernel.fdb("dump")),
            *(kernel.get_routes(), kernel.get_rules()),
        ):
            for _ in rows:
                continue


def dump_by_iproute2() -> None:
    """Print every row."""
    for command in (
        *("ip -4 neigh", "ip -6 neigh", "bridge fdb"),
        *("ip -4 route show table all", "ip -6 route show table all"),
        *("ip -4 rule", "ip -6 rule"),
    ):
        words = command.split()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
