"""Thousands of rows in the kernel: put there, looked at again, and changed."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median

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
from benchmarks.other_tools import (
    dump_by_iproute2,
    dump_by_pyroute2,
    put_by_iproute2,
    put_by_pyroute2,
    replace_by_iproute2,
    replace_by_pyroute2,
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
        cases.append(_by_calls("1,000 agents", dual_stack(1_000)))
        cases += _program("10,000 agents, IPv4", ipv4_only(10_000), goal=0.2)
        cases.append(_by_calls("10,000 agents, IPv4", ipv4_only(10_000)))
        cases += _program("10,000 agents, 60,000 rows", dual_stack(10_000), goal=0.2)
    return cases


def _by_calls(name: str, lines: tuple[Line, ...]) -> Case:
    calls = in_namespace(lambda: put_by_pyroute2(_leading(lines)))
    return Case(f"{name}: pyroute2's calls", calls, ok=True)


def _program(name: str, lines: tuple[Line, ...], *, goal: float) -> list[Case]:
    # In turn and the best of some: each run has the machine to itself as likely.
    ours = min(in_namespace(lambda: _navstar(lines)) for _ in range(3))
    batch = min(
        in_namespace(lambda: put_by_iproute2(_leading(lines))) for _ in range(3)
    )
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
        *in_namespace(_dumps_by_others),
    ]


def _dumps_by_others() -> list[Case]:
    side, going_by = kernel_side(), inputs(dual_stack(1_000))
    side.carry_out(side.look(going_by, now=0.0))
    side.close()
    by_calls = min(_timed(dump_by_pyroute2) for _ in range(3)) * _MS
    by_tools = min(_timed(dump_by_iproute2) for _ in range(3)) * _MS
    return [
        Case("pyroute2's dump of them", by_calls, ok=True),
        Case("ip's and bridge's dump of them", by_tools, ok=True),
    ]


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
    others = [_leading([line4(at + 2, mac_number=3_000_000 + at)]) for at in range(20)]
    by_tools = median(_timed(partial(replace_by_iproute2, one)) for one in others)
    by_calls = median(_timed(partial(replace_by_pyroute2, one)) for one in others)
    p99 = percentile_99(times)
    # The daemon waits 20 ms for further changes before it begins.
    whole = p99 + 20.0
    return [
        Case("work", median(times), ok=True, p99=p99),
        Case("with the 20 ms of waiting, p99", whole, whole <= _CHANGE_GOAL),
        Case("ip -batch and bridge -batch: the writing", by_tools * _MS, ok=True),
        Case("pyroute2's calls: the writing", by_calls * _MS, ok=True),
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
    peer="dumps by pyroute2, ip and bridge of the same kernel, without comparing",
    measure=measure_audit,
)

CHANGE_TO_ROW = Row(
    name="change-to-row",
    what="one line of 1,000 agents changed, until its rows are there (needs root)",
    unit="ms",
    goal=f"p99 ≤ {_CHANGE_GOAL:g} ms",
    peer="ip -batch and pyroute2 that know already what to write; the original: at "
    "once, a change that is lost after up to 5 minutes",
    measure=measure_change,
)
