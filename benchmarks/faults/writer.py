"""Somebody who has the key and writes what he likes into the table.

python -m benchmarks.faults.writer HOST:PORT SEED_HOST:PORT CLUSTER KEY_FILE

Reads commands as lines of JSON, answers each with a line: `{"put": [[overlay, field,
node, value], ...]}` writes, `{"remove": [[overlay, field, node], ...]}` takes away.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import anyio

from lashup import NodeConfig, RunningNode, map_field, open_node
from navstar.lab.agents import environment
from navstar.lab.laboratory import Lab
from navstar.lab.topology import LASHUP_PORT, Agent

#: Overlay, VTEP address, node id; and what the register is to hold.
Place: TypeAlias = tuple[str, str, str]
Entry: TypeAlias = tuple[str, str, str, object]

#: Lines of one update.
_TOGETHER = 200
_PORT = 7950


class Writer:
    """The other end of the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def put(self, entries: Sequence[Entry]) -> None:
        """Write lines, and wait until they are written."""
        self._ask("put", entries)

    def remove(self, places: Sequence[Place]) -> None:
        """Take lines away, and wait until that is written."""
        self._ask("remove", places)

    def _ask(self, what: str, listed: Sequence[object]) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the writer has no pipes")
        stdin.write(json.dumps({what: listed}) + "\n")
        stdin.flush()
        if stdout.readline().strip() != "done":
            raise RuntimeError("the writer has ended")


@contextmanager
def writing(lab: Lab, agent: Agent) -> Iterator[Writer]:
    """A writer at an agent's address, beside its navstar."""
    host = agent.underlay.ip
    command = [
        *("ip", "netns", "exec", agent.namespace),
        *(sys.executable, "-m", "benchmarks.faults.writer"),
        *(f"{host}:{_PORT}", f"{host}:{LASHUP_PORT}"),
        *(f"lab-{lab.topology.prefix}", str(lab.record.path / "key")),
    ]
    with subprocess.Popen(  # noqa: S603  # our own words
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            writer = Writer(process)
            writer.put([])
            yield writer
        finally:
            process.kill()


async def _carry_out(node: RunningNode, asked: dict[str, Any]) -> None:
    for what, listed in asked.items():
        by_overlay: dict[str, list[Any]] = {}
        for overlay, field, register, *value in listed:
            place = map_field(field).register(register)
            operation = place.assign(value[0]) if what == "put" else place.remove()
            by_overlay.setdefault(overlay, []).append(operation)
        for overlay, operations in by_overlay.items():
            for at in range(0, len(operations), _TOGETHER):
                some = operations[at : at + _TOGETHER]
                await node.kv.update(("navstar", "overlay", overlay), *some)


async def _run(*arguments: str) -> None:
    bind, seed, cluster, key_file = arguments
    (host, _, port), (seed_host, _, seed_port) = (
        bind.rpartition(":"),
        seed.rpartition(":"),
    )
    key = await anyio.Path(key_file).read_text()
    config = NodeConfig(
        name="writer",
        bind=(host, int(port)),
        seeds=[(seed_host, int(seed_port))],
        cluster=cluster,
        keys=[bytes.fromhex(key.strip())],
    )
    async with open_node(config) as node:
        await node.kv.wait_synchronised()
        async for line in anyio.wrap_file(sys.stdin):
            await _carry_out(node, json.loads(line))
            print("done", flush=True)


if __name__ == "__main__":
    anyio.run(_run, *sys.argv[1:5])
