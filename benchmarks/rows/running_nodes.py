"""Nodes on real sockets of this machine: killed, started at once, and at rest."""

from __future__ import annotations

import math
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from statistics import median
from typing import IO

import anyio

from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.simulated import cluster_of
from lashup import NodeConfig, RunningNode, open_node
from lashup.machine import Address
from lashup.membership import LAN, Failed, Liveness
from simulations.traffic import Traffic

_TIMEOUT = 120.0
#: How often a node at rest wakes in a second, counted by strace: to ping, for the ack,
#: for somebody's ping, and now and then for something else.
_WAKEUPS = 3.2


def _live(node: RunningNode) -> int:
    return sum(member.liveness is Liveness.ALIVE for member in node.members())


def _config(name: str, *seeds: Address, wires: int) -> NodeConfig:
    membership = replace(LAN, tripwires=wires)
    return NodeConfig(name=name, seeds=seeds, membership=membership)


def measure_process(effort: Effort) -> list[Case]:
    """Processes of a cluster are killed, one after the other."""
    kills = 4 if effort is Effort.QUICK else 20
    cases = []
    for what, wires, goal, p99_goal in (
        ("UDP alone", 0, 0.6, 1.2),
        ("with tripwires", 3, 0.1, math.inf),
    ):
        times = anyio.run(_kill_some, kills, wires)
        value, p99 = median(times), percentile_99(times)
        name = f"{what}, n = 8, {kills} kills"
        cases.append(Case(name, value, value <= goal and p99 <= p99_goal, p99=p99))
    return cases


async def _kill_some(kills: int, wires: int) -> list[float]:
    times: list[float] = []
    while len(times) < kills:
        # Another watcher for each lot: one that all have died for doubts itself.
        async with open_node(_config("watcher", wires=wires)) as watcher:
            with _children(7, watcher.address, wires=wires) as children:
                with anyio.fail_after(_TIMEOUT):
                    await watcher.wait_until(lambda: _live(watcher) == 8)
                await anyio.sleep(3.0)
                for number, child in enumerate(children[:4]):
                    times.append(await _kill(child, f"n{number}", watcher))
                    await anyio.sleep(1.0 + 0.13 * len(times) % 1)
    return times[:kills]


async def _kill(child: subprocess.Popen[str], name: str, watcher: RunningNode) -> float:
    async with watcher.events() as events:
        began = anyio.current_time()
        child.kill()
        with anyio.fail_after(_TIMEOUT):
            async for event in events:
                if isinstance(event, Failed) and event.member.name == name:
                    break
        return anyio.current_time() - began


@contextmanager
def _children(
    count: int, seed: Address, *, wires: int, rest: float = 0.0
) -> Iterator[list[subprocess.Popen[str]]]:
    """Nodes in processes of their own."""
    where = (seed[0], str(seed[1]), str(wires), str(rest))
    children = [
        subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "benchmarks.one_node", f"n{number}", *where],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.communicate()


def measure_join(effort: Effort) -> list[Case]:
    """All nodes start at once, spread over a process for each core; one seed."""
    sizes = ((5, 1.0), (20, 1.0)) if effort is Effort.QUICK else (
        (5, 1.0), (20, 1.0), (50, 1.0), (100, 2.0), (200, 4.0)
    )  # fmt: skip
    repeats = 1 if effort is Effort.QUICK else 5
    cases = []
    for nodes, goal in sizes:
        times = [anyio.run(_join, nodes, backend="trio") for _ in range(repeats)]
        value = median(times)
        cases.append(Case(f"n = {nodes}", value, value <= goal, p99=max(times)))
    return cases


async def _join(nodes: int) -> float:
    """Seconds from the word to start until every node sees every node."""
    cores = len(os.sched_getaffinity(0))
    shares = [share for i in range(cores) if (share := (nodes - 1 + i) // cores)]
    async with open_node(_config("seed", wires=0)) as seed:
        with ExitStack() as stack:
            started = [
                stack.enter_context(_many(f"p{index}-", share, nodes, seed.address))
                for index, share in enumerate(shares)
            ]
            for child in started:
                await anyio.to_thread.run_sync(_line, child.stdout)
            began = time.monotonic()
            for child in started:
                assert child.stdin is not None  # noqa: S101
                child.stdin.write("go\n")
                child.stdin.flush()
            with anyio.fail_after(_TIMEOUT):
                await seed.wait_until(lambda: len(seed.live_members()) == nodes)
                ends = [time.monotonic()]
                for child in started:
                    line = await anyio.to_thread.run_sync(
                        _line, child.stdout, abandon_on_cancel=True
                    )
                    ends.append(float(line))
    return max(ends) - began


@contextmanager
def _many(
    name: str, count: int, total: int, seed: Address
) -> Iterator[subprocess.Popen[str]]:
    """A process with some of the nodes, which waits for the word to start them."""
    words = (name, str(count), str(total), seed[0], str(seed[1]))
    child = subprocess.Popen(  # noqa: S603  # ourselves
        [sys.executable, "-m", "benchmarks.many_nodes", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def measure_rest(effort: Effort) -> list[Case]:
    """Processes that do nothing but be members."""
    nodes, seconds = (6, 5.0) if effort is Effort.QUICK else (20, 60.0)
    found = anyio.run(_rest, nodes, seconds)
    names = ("sent", "bytes/s", 500.0), ("CPU", "ms/s", 1.0), ("resident", "MB", 50.0)
    cases = [
        Case(f"{what}, n = {nodes}", value, value <= goal, unit=unit)
        for (what, unit, goal), value in zip(names, found, strict=True)
    ]
    alone = min(20.0, seconds)
    loop = anyio.run(_empty_loop, alone, backend="trio")
    for name, floor in (
        ("CPU of an event loop without a node, as many wake-ups", loop),
        ("CPU of Python without an event loop, as many wake-ups", _bare_wakeups(alone)),
    ):
        cases.append(Case(name, floor, ok=True, unit="ms/s"))
    return cases


def _bare_wakeups(seconds: float) -> float:
    """What it costs a process that has nothing else to wake as often as a node does."""
    poll = select.epoll()
    try:
        cpu, end = time.process_time(), time.monotonic() + seconds
        while time.monotonic() < end:
            poll.poll(1 / _WAKEUPS)
        return (time.process_time() - cpu) / seconds * 1_000
    finally:
        poll.close()


async def _empty_loop(seconds: float) -> float:
    """What it costs to wake as often as a node does, and to do nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        cpu, end = time.process_time(), anyio.current_time() + seconds
        while (now := anyio.current_time()) < end:
            with anyio.CancelScope(deadline=now + 1 / _WAKEUPS):
                await anyio.wait_readable(silent)
        return (time.process_time() - cpu) / seconds * 1_000


async def _rest(nodes: int, seconds: float) -> tuple[float, float, float]:
    async with open_node(_config("watcher", wires=3)) as watcher:
        count = nodes - 1
        with _children(count, watcher.address, wires=3, rest=seconds) as children:
            with anyio.fail_after(_TIMEOUT):
                await watcher.wait_until(lambda: _live(watcher) == nodes)
            lines = [await anyio.to_thread.run_sync(_line, c.stdout) for c in children]
    figures = [[float(word) for word in line.split()] for line in lines]
    sent, cpu, resident = (median(column) for column in zip(*figures, strict=True))
    return sent, cpu, resident


def _line(stream: IO[str] | None) -> str:
    assert stream is not None  # noqa: S101
    return stream.readline()


def measure_rest_scale(effort: Effort) -> list[Case]:
    """UDP payload that a node sends at rest, by size of the cluster; simulated."""
    sizes = (100, 300) if effort is Effort.QUICK else (100, 1_000)
    cases, least = [], 0.0
    for nodes in sizes:
        cluster = cluster_of(nodes, seed=1)
        traffic = Traffic(cluster.world)
        cluster.run_for(20.0)
        sent = {str(name): value for name, value in traffic.metrics().items()}
        value = float(sent["bytes_per_node_s"])
        least = least or value
        cases.append(Case(f"n = {nodes:,}", value, value <= 1.5 * least))
    return cases


PROCESS = Row(
    name="detect-process",
    what="a process killed, its host alive: known to another, real sockets",
    unit="s",
    goal="UDP alone median ≤ 0.6, p99 ≤ 1.2; with tripwires ≤ 0.1",
    peer="the original 0.02-0.07 (its TCP connections break)",
    measure=measure_process,
)

JOIN = Row(
    name="join-storm",
    what="n nodes started at once with one seed: all see all; real sockets, a "
    "process for each core (p99: the worst)",
    unit="s",
    goal="≤ 1 to n = 50, ≤ 2 at 100, ≤ 4 at 200",
    peer="the original 12-67 at n = 5-20; serf 0.22 / 0.67 / 1.4 at 5 / 20 / 50; "
    "Python's best SWIM library 0.13 / 1.1 / 3.8 / 61 at 5 / 20 / 50 / 100",
    measure=measure_join,
)

REST = Row(
    name="rest",
    what="a node at rest, a process each, real sockets",
    unit="see the case",
    goal="≤ 500 bytes/s, ≤ 1 ms CPU/s, ≤ 50 MB",
    peer="serf at n = 20: 402 bytes/s, 2.3 ms CPU/s, 15 MB; the original: 2,770 "
    "bytes/s, 5.7 ms CPU/s, 51 MB",
    measure=measure_rest,
)

REST_SCALE = Row(
    name="rest-scale",
    what="UDP payload that a node sends at rest, by size of the cluster, simulated",
    unit="bytes/s",
    goal="within 1.5 times that of n = 100",
    peer="constant: SWIM's promise",
    measure=measure_rest_scale,
)
