"""One node in a process of its own, for measurements; killed by who started it.

    python -m benchmarks.one_node NAME HOST PORT TRIPWIRES SECONDS

With seconds, it prints what it cost to be a member at rest for so long: bytes sent a
second, CPU milliseconds a second, resident megabytes.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio

from lashup import NodeConfig, RunningNode, open_node
from lashup.membership import LAN

#: Seconds until the join is over.
_SETTLE = 5.0


async def main(name: str, seed: tuple[str, int], wires: int, seconds: float) -> None:
    """Be a member until killed."""
    membership = replace(LAN, tripwires=wires)
    config = NodeConfig(name=name, seeds=(seed,), membership=membership)
    async with open_node(config) as node:
        if seconds:
            await anyio.sleep(_SETTLE)
            await _measure(node, seconds)
        await anyio.sleep_forever()


async def _measure(node: RunningNode, seconds: float) -> None:
    cpu, sent = time.process_time(), node.statistics()["udp_sent_bytes"]
    await anyio.sleep(seconds)
    cpu, sent = time.process_time() - cpu, node.statistics()["udp_sent_bytes"] - sent
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
    resident = pages * resource.getpagesize() / 1e6
    print(sent / seconds, cpu / seconds * 1_000, resident, flush=True)


if __name__ == "__main__":
    anyio.run(
        main,
        sys.argv[1],
        (sys.argv[2], int(sys.argv[3])),
        int(sys.argv[4]),
        float(sys.argv[5]),
        backend="trio",
    )
