"""Thousands of rows in the kernel: put there, looked at again, and changed."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from pyroute2 import IPRoute

from benchmarks import many_agents
from benchmarks.many_agents import (
    ALLOCATION,
    ME,
    UNDERLAY,
    dual_stack,
    in_namespace,
    inputs,
    ipv4_only,
    kernel_side,
    line4,
)
from benchmarks.row import Case, Effort, Row, percentile_99
from navstar.diff import diff
from navstar.kernel_side import Inputs
from navstar.line import Line
from navstar.overlay import desired_rows
from navstar.overlay_backend import Kernel
from navstar.tables import Fdb, Neighbour, Route
from navstar.tables import Row as KernelRow

_AUDIT_GOAL = 60.0
_CORE_GOAL = 0.5
_AUDIT_PERIOD = 10.0
_CHANGE_GOAL = 50.0
_MS = 1000.0


def measure_program(effort: Effort) -> list[Case]:
    """Put the rows of many agents into an empty kernel, and so does iproute2."""
    cases = _program("1,000 agents", dual_stack(1_000), goal=1.0)
    if effort is Effort.FULL:
        calls = in_namespace(lambda: _pyroute2(_leading(dual_stack(1_000))))
        cases.append(Case("1,000 agents: pyroute2's calls", calls, ok=True))
        cases += _program("10,000 agents, IPv4", ipv4_only(10_000), goal=0.2)
    return cases


def _program(name: str, lines: tuple[Line, ...], *, goal: float) -> list[Case]:
    # In turn and the best of some: each run has the machine to itself as likely.
    ours = min(in_namespace(lambda: _navstar(lines)) for _ in range(3))
    batch = min(in_namespace(lambda: _iproute2(_leading(lines))) for _ in range(3))
    ratio = ours / batch
    return [
        Case(f"{name}: navstar", ours, ok=True),
        Case(f"{name}: ip -batch and bridge -batch", batch, ok=True),
        Case(f"{name}: navstar against them", ratio, ratio <= goal, unit="times"),
    ]


def _leading(lines: Iterable[Line]) -> list[KernelRow]:
    rows = desired_rows(ALLOCATION, lines, underlay=UNDERLAY, me=ME).rows
    return [row for row in rows if isinstance(row, Neighbour | Fdb | Route)]


def _navstar(lines: tuple[Line, ...]) -> float:
    """From the desired rows to the kernel's: difference and all writes."""
    desired = desired_rows(ALLOCATION, lines, underlay=UNDERLAY, me=ME).rows
    with Kernel() as kernel:
        ground = desired_rows(ALLOCATION, (), underlay=UNDERLAY, me=ME).rows
        kernel.apply(diff(ground, frozenset()))
        began = time.perf_counter()
        applied = kernel.apply(diff(desired, kernel.dump()))
        took = time.perf_counter() - began
    if applied.refused:
        raise RuntimeError(str(applied.refused[0]))
    return took


def _iproute2(rows: Iterable[KernelRow]) -> float:
    """The same rows by iproute2's own batches, with routes as people write them."""
    many_agents.ip("link add vtep1024 type vxlan id 1024 dstport 64000 local 10.0.0.1")
    many_agents.ip("addr add 44.128.0.1/12 dev vtep1024")
    many_agents.ip("-6 addr add fd01:a::1/64 dev vtep1024 nodad")
    many_agents.ip("link set vtep1024 up")
    words = [(type(row), _words(row)) for row in rows]
    with tempfile.TemporaryDirectory(prefix="navstar-benchmark-") as directory:
        other, fdb = Path(directory, "ip"), Path(directory, "bridge")
        other.write_text("\n".join(w for kind, w in words if kind is not Fdb))
        fdb.write_text("\n".join(w for kind, w in words if kind is Fdb))
        began = time.perf_counter()
        subprocess.run(["ip", "-batch", other], check=True)  # noqa: S603, S607
        subprocess.run(["bridge", "-batch", fdb], check=True)  # noqa: S603, S607
        return time.perf_counter() - began


def _words(row: KernelRow) -> str:
    match row:
        case Neighbour(link, address, mac):
            return f"neigh add {address} lladdr {mac} dev {link} nud permanent"
        case Fdb(link, mac, agent):
            return f"fdb add {mac} dev {link} dst {agent} self permanent"
        case Route(link, subnet, via, _, table):
            return f"route add {subnet} via {via} dev {link} table {table} onlink"
        case _:
            raise ValueError(row)


def _pyroute2(rows: Iterable[KernelRow]) -> float:
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
            match row:
                case Neighbour(_, address, mac):
                    kernel.neigh("add", dst=str(address), lladdr=mac, ifindex=index,
                                 state=0x80)  # fmt: skip
                case Fdb(_, mac, agent):
                    kernel.fdb("add", ifindex=index, lladdr=mac, dst=str(agent))
                case Route(_, subnet, via, _, table):
                    kernel.route("add", dst=str(subnet), gateway=str(via), oif=index,
                                 table=table, flags=4)  # fmt: skip
                case _:
                    raise ValueError(row)
        return time.perf_counter() - began


def measure_audit(effort: Effort) -> list[Case]:
    """Look at thousands of right rows, as every ten seconds."""
    return in_namespace(lambda: _audits(10 if effort is Effort.QUICK else 50))


def _audits(count: int) -> list[Case]:
    side, going_by = kernel_side(), inputs(dual_stack(1_000))
    side.carry_out(side.look(going_by, now=0.0))
    # The first one reads every row; the daemon has done that when it is at rest.
    first = _timed(lambda: side.look(going_by, now=0.0))
    began = resource.getrusage(resource.RUSAGE_THREAD)
    walls = [_timed(lambda: side.look(going_by, now=0.0)) * _MS for _ in range(count)]
    ended = resource.getrusage(resource.RUSAGE_THREAD)
    rows = len(side.look(going_by, now=0.0).actual)
    used = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    share = used / count / _AUDIT_PERIOD * 100
    side.close()
    wall = median(walls)
    return [
        Case(f"{rows:,} rows", wall, wall <= _AUDIT_GOAL, p99=percentile_99(walls)),
        Case(f"{rows:,} rows, the first time", first * _MS, ok=True),
        Case("at one audit per 10 s", share, share <= _CORE_GOAL, unit="% of a core"),
        Case("pyroute2's dump of them", in_namespace(_dump_by_pyroute2), ok=True),
    ]


def _dump_by_pyroute2() -> float:
    side, going_by = kernel_side(), inputs(dual_stack(1_000))
    side.carry_out(side.look(going_by, now=0.0))
    side.close()
    with IPRoute() as kernel:

        def dump() -> None:
            for rows in (
                *(kernel.get_neighbours(), kernel.fdb("dump")),
                *(kernel.get_routes(), kernel.get_rules()),
            ):
                for _ in rows:
                    continue

        return min(_timed(dump) for _ in range(3)) * _MS


def measure_change(effort: Effort) -> list[Case]:
    """Change one agent's line among a thousand, until its rows are in the kernel."""
    return in_namespace(lambda: _changes(50 if effort is Effort.QUICK else 400))


def _changes(count: int) -> list[Case]:
    side, lines = kernel_side(), list(dual_stack(1_000))
    side.carry_out(side.look(inputs(tuple(lines)), now=0.0))
    times = []
    for number in range(count):
        at = (number * 14) % len(lines)
        lines[at] = line4(at // 2 + 2, mac_number=2_000_000 + number)
        going_by = inputs(tuple(lines))

        def follow(going_by: Inputs = going_by) -> None:
            applied = side.carry_out(side.glance(going_by, now=0.0))
            if applied.refused:
                raise RuntimeError(str(applied.refused[0]))

        times.append(_timed(follow) * _MS)
    side.close()
    p99 = percentile_99(times)
    # The daemon waits 20 ms for further changes before it begins.
    whole = p99 + 20.0
    return [
        Case("work", median(times), ok=True, p99=p99),
        Case("with the 20 ms of waiting, p99", whole, whole <= _CHANGE_GOAL),
    ]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


PROGRAM = Row(
    name="program",
    what="the rows of many agents put into an empty kernel (needs root)",
    unit="s",
    goal="≤ 1 times ip -batch for 1,000 agents, ≤ 0.2 times for 10,000",
    peer="ip -batch and bridge -batch, and pyroute2's calls, in the same run",
    measure=measure_program,
)

AUDIT = Row(
    name="audit",
    what="a whole look at the rows of 1,000 agents, all right (needs root)",
    unit="ms",
    goal=f"≤ {_AUDIT_GOAL:g} ms, ≤ {_CORE_GOAL:g} % of a core at one per 10 s",
    peer="a dump by pyroute2 of the same kernel, without comparing",
    measure=measure_audit,
)

CHANGE_TO_ROW = Row(
    name="change-to-row",
    what="one line of 1,000 agents changed, until its rows are there (needs root)",
    unit="ms",
    goal=f"p99 ≤ {_CHANGE_GOAL:g} ms",
    peer="the original: at once; a change that is lost, after up to 5 minutes",
    measure=measure_change,
)
