"""One node in a process of its own, for measurements over real processes.

python -m benchmarks.node_process NAME DATA_DIR SEED_HOST:PORT [HOST]

Reads commands as lines of JSON and answers each with one; `Nodes` is the other end.
Times are CLOCK_MONOTONIC in nanoseconds, the same in all processes of a host.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from benchmarks.overlay_table import KEY, Agent
from lashup import LAN, Liveness, NodeConfig, RunningNode, map_field, open_node

#: The line whose changes are measured.
_PROBE = "probe"
#: Lines of one update while a table is filled.
_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Host:
    """Where a node process runs: a network namespace, and an address in it."""

    namespace: str
    address: str


class Measured:
    """A running node and what has been noted of it."""

    def __init__(self, node: RunningNode, tasks: TaskGroup) -> None:
        self._node = node
        self._tasks = tasks
        self._seen: dict[int, int] = {}
        self._latest = 0.0

    async def carry_out(self, asked: dict[str, Any]) -> object:
        """Do one command; its answer."""
        node = self._node
        match asked["do"]:
            case "members":
                await node.wait_until(lambda: self._alive() >= asked["count"])
                return time.monotonic_ns()
            case "split":
                await node.wait_until(lambda: self._alive() <= asked["count"])
            case "count":
                return self._facts()
            case "fill":
                first = asked.get("first", 0)
                lines = [Agent(n) for n in range(first, first + asked["lines"])]
                for at in range(0, len(lines), _TOGETHER):
                    some = [a.operation() for a in lines[at : at + _TOGETHER]]
                    await node.kv.update(KEY, *some)
            case "facts":
                await node.wait_until(lambda: self._facts() >= asked["count"])
                return time.monotonic_ns()
            case "load":
                dump = await anyio.Path(asked["file"]).read_bytes()
                await node.kv.load(dump)
            case "write":
                return await self._write(asked["count"], pause=asked["pause"])
            case "seen":
                await node.wait_until(lambda: asked["change"] in self._seen)
                return self._seen
            case "keep_time":
                self._tasks.start_soon(self._keep_time)
            case "latest":
                return self._latest
            case unknown:
                raise ValueError(unknown)
        return None

    async def watch(self) -> None:
        """Note when each write of the probe was seen first."""
        async with self._node.kv.subscribe(KEY) as changes:
            async for change in changes:
                number = change.new.map(_PROBE).register("n", default=0)
                if isinstance(number, int):
                    self._seen.setdefault(number, time.monotonic_ns())

    async def _keep_time(self) -> None:
        """Note by how much the loop was late at most, in seconds.

        Only where it is asked for: it wakes the process 100 times a second.
        """
        while True:
            due = anyio.current_time() + 0.01
            await anyio.sleep_until(due)
            self._latest = max(self._latest, anyio.current_time() - due)

    async def _write(self, count: int, *, pause: float) -> list[int]:
        """Write the probe so often; when each write began, and when the last ended."""
        times = []
        first = max(self._seen, default=0) + 1
        for number in range(first, first + count):
            if pause:
                await anyio.sleep(pause)
            times.append(time.monotonic_ns())
            probe = map_field(_PROBE).register("n")
            await self._node.kv.update(KEY, probe.assign(number))
        return [first, *times, time.monotonic_ns()]

    def _alive(self) -> int:
        return sum(m.liveness is Liveness.ALIVE for m in self._node.members())

    def _facts(self) -> float:
        return self._node.statistics()["kv_facts"]


async def _run(name: str, data_dir: str, seed: str, bind: str = "127.0.0.1") -> None:
    host, _, port = seed.rpartition(":")
    config = NodeConfig(
        name=name,
        bind=(bind, 0),
        keys=[bytes(32)],
        seeds=[(host, int(port))] if seed else [],
        data_dir=Path(data_dir) if data_dir else None,
        membership=LAN,
    )
    async with (
        open_node(config, freeze_table=True) as node,
        anyio.create_task_group() as tasks,
    ):
        measured = Measured(node, tasks)
        tasks.start_soon(measured.watch)
        _say([*node.address])
        async for line in anyio.wrap_file(sys.stdin):
            _say(await measured.carry_out(json.loads(line)))
        tasks.cancel_scope.cancel()


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class Nodes:
    """Node processes of one cluster; all know each other."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def ask(self, number: int, do: str, **more: object) -> Any:  # noqa: ANN401  # JSON
        """Have one node do something; its answer."""
        self.tell(number, do, **more)
        return self.answer(number)

    def tell(self, number: int, do: str, **more: object) -> None:
        """Have one node begin something; `answer` waits for it."""
        print(
            json.dumps({"do": do, **more}),
            file=self._processes[number].stdin,
            flush=True,
        )

    def answer(self, number: int) -> Any:  # noqa: ANN401  # JSON
        """What a node answers next.

        Raises:
            RuntimeError: It has ended.
        """
        stdout = self._processes[number].stdout
        line = stdout.readline() if stdout is not None else ""
        if not line:
            raise RuntimeError(f"node {number} of the measurement has ended")
        return json.loads(line)

    def all(self, do: str, **more: object) -> list[Any]:
        """Have all nodes do something at once; their answers."""
        for number in range(len(self._processes)):
            self.tell(number, do, **more)
        return [self.answer(number) for number in range(len(self._processes))]


@contextmanager
def cluster(
    directories: Iterable[Path | None], *, hosts: Sequence[Host] = ()
) -> Iterator[Nodes]:
    """Start a node process per data directory (None: in memory), and end them.

    Args:
        directories: One for each node.
        hosts: Where each runs; none: all on this one.
    """
    with ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []
        nodes = Nodes(processes)
        stack.callback(_end, processes)
        seed = ""
        for number, directory in enumerate(directories):
            where = hosts[number] if hosts else None
            start(processes, str(directory or ""), seed=seed, where=where)
            host, port = nodes.answer(number)
            seed = seed or f"{host}:{port}"
        nodes.all("members", count=len(processes))
        yield nodes


def start(
    processes: list[subprocess.Popen[str]],
    directory: str,
    *,
    seed: str,
    where: Host | None = None,
) -> None:
    """Start one more node process."""
    name = f"n{len(processes)}"
    command = [sys.executable, "-m", "benchmarks.node_process", name, directory, seed]
    if where is not None:
        inside = ("ip", "netns", "exec", where.namespace)
        command = [*inside, *command, where.address]
    processes.append(
        subprocess.Popen(  # noqa: S603  # our own
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    )


def _end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.communicate()


if __name__ == "__main__":
    anyio.run(partial(_run, *sys.argv[1:5]), backend="trio")
