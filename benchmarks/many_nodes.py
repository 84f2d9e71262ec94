"""Many nodes in one process, for measurements; killed by who started it.

    python -m benchmarks.many_nodes NAME COUNT TOTAL HOST PORT

Prints `ready`, waits for a line, starts all nodes at once with that seed, and prints
the monotonic time, in seconds, at which each of them sees so many members in total.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import anyio

from lashup import NodeConfig, RunningNode, open_node
from lashup.machine import Address
from lashup.membership import LAN

#: Seconds between two looks.
_LOOK = 0.02


async def main(name: str, count: int, total: int, seed: Address) -> None:
    """Start the nodes when told to, and say when they see everybody."""
    running: list[RunningNode] = []

    async def one(number: int) -> None:
        membership = replace(LAN, tripwires=0)
        config = NodeConfig(
            name=f"{name}{number}", seeds=(seed,), membership=membership
        )
        async with open_node(config) as node:
            running.append(node)
            await anyio.sleep_forever()

    print("ready", flush=True)
    sys.stdin.readline()  # nothing else runs yet
    async with anyio.create_task_group() as nodes:
        for number in range(count):
            nodes.start_soon(one, number)
        while len(running) < count or not all(  # noqa: ASYNC110  # of many nodes
            _sees(each, total) for each in running
        ):
            await anyio.sleep(_LOOK)
        print(time.monotonic(), flush=True)


def _sees(node: RunningNode, total: int) -> bool:
    return len(node.live_members()) == total


if __name__ == "__main__":
    anyio.run(
        main,
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        (sys.argv[4], int(sys.argv[5])),
        backend="trio",
    )
