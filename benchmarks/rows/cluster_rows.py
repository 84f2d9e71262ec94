"""Real daemons on real kernels: how fast news gets everywhere, what rest costs."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from compileall import compile_dir
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from statistics import median

import trio

from benchmarks.many_agents import dual_stack, line4
from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.saved import ROOT
from lashup import NodeConfig, RunningNode, map_field, open_node
from navstar.lab import agents, namespaces
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.topology import LASHUP_PORT, Agent, Topology
from navstar.line import Line
from navstar.line_codec import key_of, value_of

_AGENTS = 8
_MEDIAN_GOAL, _P99_GOAL = 50.0, 200.0
_RESIDENT_GOAL, _CORE_GOAL = 80.0, 1.0
_PATIENCE = 60.0
_RTNLGRP_NEIGH = 3


def measure_publish(effort: Effort) -> list[Case]:
    """Publish a line again and again; note when each kernel has its row."""
    count = 15 if effort is Effort.QUICK else 100
    times: list[float] = []
    with _cluster(_AGENTS) as (lab, writer):
        listeners = [_Listener(agent) for agent in lab.agents[:-1]]
        try:
            for number in range(count):
                times += _spread(writer, listeners, number)
        finally:
            for listener in listeners:
                listener.close()
    value, p99 = median(times), percentile_99(times)
    return [
        Case(f"one of {_AGENTS} agents", value, value <= _MEDIAN_GOAL, p99=p99),
        Case("p99", p99, p99 <= _P99_GOAL),
    ]


def _spread(
    writer: _Writer, listeners: list[_Listener], number: int
) -> Iterator[float]:
    """Milliseconds until each kernel had the row."""
    line = _in_the_lab(replace(line4(200), mac=f"70:b3:d5:99:00:{number:02x}"))
    began = time.monotonic()
    writer.write([line])
    wanted = bytes.fromhex(line.mac.replace(":", ""))
    for listener in listeners:
        yield (listener.heard_at(wanted) - began) * 1000
    # The next one meets agents at rest, as news mostly does.
    time.sleep(0.1)


def measure_rest(effort: Effort) -> list[Case]:
    """Fill the table with the lines of 1,000 agents, and look at the daemon."""
    seconds = 10.0 if effort is Effort.QUICK else 60.0
    _compile()
    with _cluster(1) as (lab, writer):
        agent = lab.agents[0]
        writer.write([_in_the_lab(line) for line in dual_stack(1_002)[4:]])
        agents.wait_status(
            lab.record,
            agent,
            lambda status: status["rows"]["actual"] >= 6_000,
            what="programming 1,000 agents",
            within=_PATIENCE,
        )
        time.sleep(12.0)  # An audit more, and what is left of the start.
        pid = lab.record.processes[agent.name].pid
        before = _cpu(pid)
        time.sleep(seconds)
        share = (_cpu(pid) - before) / seconds * 100
        status = Path(f"/proc/{pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return [
        Case("resident", resident, resident <= _RESIDENT_GOAL),
        Case("processor", share, share <= _CORE_GOAL, unit="% of a core"),
    ]


def _compile() -> None:
    """Have it as pip installs it: what compiles itself keeps a megabyte of that."""
    for package in ("lashup", "navstar"):
        compile_dir(ROOT / package, quiet=2)


def _cpu(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _in_the_lab(line: Line) -> Line:
    """The line with a VTEP address of the lab's network."""
    if line.overlay.version == 6:
        return line
    return replace(line, vtep=IPv4Interface((int(line.vtep.ip), 20)))


class _Listener:
    """Hears of every FDB row of one agent, from its own thread on."""

    def __init__(self, agent: Agent) -> None:
        self._socket = namespaces.inside(agent.namespace, _neighbour_events)
        self._at: dict[bytes, float] = {}
        self._heard = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while not self._stopping:
                if not selector.select(0.2):
                    continue
                data, now = self._socket.recv(1 << 16), time.monotonic()
                at = data.find(b"\x70\xb3\xd5\x99\x00")
                if at >= 0:
                    with self._heard:
                        self._at.setdefault(data[at : at + 6], now)
                        self._heard.notify_all()

    def heard_at(self, mac: bytes) -> float:
        with self._heard:
            if not self._heard.wait_for(lambda: mac in self._at, _PATIENCE):
                raise TimeoutError(f"no kernel row for {mac.hex(':')}")
            return self._at[mac]

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()


def _neighbour_events() -> socket.socket:
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    events.bind((0, 1 << (_RTNLGRP_NEIGH - 1)))
    return events


class _Writer:
    """A node of lashup in an agent's place, which writes what it is told."""

    def __init__(self, lab: Lab, agent: Agent) -> None:
        self._lab, self._agent = lab, agent
        self._token: trio.lowlevel.TrioToken | None = None
        self._node: RunningNode | None = None
        self._ready, self._stop = threading.Event(), trio.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._ready.wait(_PATIENCE) or self._node is None:
            raise TimeoutError("the writer did not join") from self._failed

    def _run(self) -> None:
        try:
            namespaces.inside(self._agent.namespace, lambda: trio.run(self._serve))
        except BaseException as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        topology, record = self._lab.topology, self._lab.record
        seed = (str(topology.agent(1).underlay.ip), LASHUP_PORT)
        config = NodeConfig(
            name="writer",
            bind=(str(self._agent.underlay.ip), LASHUP_PORT),
            seeds=(seed,),
            cluster=f"lab-{topology.prefix}",
            keys=(bytes.fromhex((record.path / "key").read_text()),),
            data_dir=record.path / "writer",
        )
        async with open_node(config) as node:
            await node.kv.wait_synchronised()
            self._token, self._node = trio.lowlevel.current_trio_token(), node
            self._ready.set()
            await self._stop.wait()

    def write(self, lines: list[Line]) -> None:
        """Publish; returns when all is on this node's disk."""
        node = self._node
        if node is None:
            raise RuntimeError("the writer is not there")

        async def update() -> None:
            for line in lines:
                place = map_field(str(line.vtep)).register(line.node)
                await node.kv.update(key_of(line.overlay), place.assign(value_of(line)))

        self._on_loop(update)

    def close(self) -> None:
        async def stop() -> None:
            self._stop.set()

        if self._thread.is_alive():
            self._on_loop(stop)
        self._thread.join()

    def _on_loop(self, work: Callable[[], Awaitable[None]]) -> None:
        trio.from_thread.run(work, trio_token=self._token)


@contextmanager
def _cluster(size: int) -> Iterator[tuple[Lab, _Writer]]:
    """Agents in step, and a writer in the place of one more."""
    topology = Topology(f"bench{os.getpid()}", size=size + 1, containers=1)
    with open_lab(topology) as lab:
        lab.build()
        silent = lab.agents[-1]
        for agent in lab.agents[:-1]:
            _look_as_usual(lab, agent)
            agents.allocate(lab.record, agent)
            agents.start(lab.record, agent)
        for agent in lab.agents[:-1]:
            agents.wait_status(
                lab.record,
                agent,
                lambda status: (
                    status["members"]["alive"] >= size
                    and status["rows"]["agents"] >= size - 1
                ),
                what="being in step",
                within=_PATIENCE,
            )
        writer = _Writer(lab, silent)
        try:
            yield lab, writer
        finally:
            writer.close()


def _look_as_usual(lab: Lab, agent: Agent) -> None:
    """Let it look at its allocation as often as a daemon does, not as a lab's."""
    path = agents.directory(lab.record, agent) / "config.toml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "poll_period" not in line))


PUBLISH_TO_ALL = Row(
    name="publish-to-all",
    what=f"a line written on one node, until {_AGENTS} kernels have it (needs root)",
    unit="ms",
    goal=f"p50 ≤ {_MEDIAN_GOAL:g} ms, p99 ≤ {_P99_GOAL:g} ms",
    peer="20 ms of it are waited for further changes",
    measure=measure_publish,
)

DAEMON_REST = Row(
    name="daemon-rest",
    what="the daemon at rest with 1,000 agents in its tables (needs root)",
    unit="MB",
    goal=f"≤ {_RESIDENT_GOAL:g} MB resident, ≤ {_CORE_GOAL:g} % of a core",
    peer="none",
    measure=measure_rest,
)
