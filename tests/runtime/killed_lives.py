"""Lives of one node, each ended by SIGKILL in the middle of its writes.

python -m tests.runtime.killed_lives DIRECTORY LIVES SEED

Forks each life from this process, which has imported everything and starts no
thread. A life reports on a pipe: what it is about to commit, and what was
acknowledged. Once it is killed, the database is opened here and held against all
reports. Prints what was seen, as JSON; ends with 1 at the first contradiction.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO

import anyio

from lashup import NodeConfig, counter, map_field, open_node
from lashup.crdt import FactSet, MapView
from lashup.crdt.field import pack_key
from lashup.kv.rows import state_untrusted
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage
from lashup.runtime.storage import Rows

KEY = ("k",)
WRITERS = 4
CLUSTER = "killed"


class Reporter:
    """The real storage; tells which facts it is about to commit."""

    def __init__(self, directory: Path, pipe: BinaryIO) -> None:
        self._storage = SqliteStorage(directory, cluster=CLUSTER)
        self._pipe = pipe

    def load(self) -> Rows:
        return self._storage.load()

    def commit(self, batch: Sequence[Persist]) -> None:
        for persist in batch:
            for table, key, value in persist.puts:
                if table == "fact":
                    self._pipe.write(f"fact {key.hex()} {value.hex()}\n".encode())
        self._storage.commit(batch)

    def close(self) -> None:
        self._storage.close()


async def live(directory: Path, pipe: BinaryIO) -> None:
    """Write without end: some writers, each its own map and all one counter."""
    storage = Reporter(directory, pipe)
    config = NodeConfig(name="a", cluster=CLUSTER, data_dir=directory)
    async with open_node(config, storage=storage) as node:

        async def write(writer: int) -> None:
            value = node.kv.get(KEY).map(writer).register("n", default=0)
            assert isinstance(value, int)
            for number in count(value + 1):
                place = map_field(writer)
                await node.kv.update(
                    KEY,
                    place.register("n").assign(number),
                    place.add_wins_set("s").add(number),
                    place.add_wins_set("s").discard(number - 1),
                    counter("all").increment(),
                )
                pipe.write(f"done {writer} {number}\n".encode())

        async with anyio.create_task_group() as tasks:
            for writer in range(WRITERS):
                tasks.start_soon(write, writer)


def reports_of_a_life(directory: Path, *, killed_after: int) -> list[list[str]]:
    """Fork a life, kill it after so many reports, and return all it reported."""
    incoming, outgoing = os.pipe()
    life = os.fork()
    if life == 0:
        os.close(incoming)
        with os.fdopen(outgoing, "wb", buffering=0) as pipe:
            anyio.run(live, directory, pipe, backend="trio")
        os._exit(0)
    os.close(outgoing)
    with os.fdopen(incoming, "rb") as reports:
        lines = [reports.readline() for _ in range(killed_after)]
        os.kill(life, signal.SIGKILL)
        os.waitpid(life, 0)
        lines += reports.readlines()
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


def value_on_disk(directory: Path) -> MapView:
    """What the database holds; that it opens is part of the test."""
    facts = FactSet()
    with SqliteStorage(directory, cluster=CLUSTER) as storage:
        facts.join(state_untrusted(storage.load()))
    return MapView(facts.branch(pack_key(KEY)))


def main() -> int:
    directory, lives = Path(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]))
    minted: dict[str, str] = {}
    seen: Counter[str] = Counter()
    numbers, total = [0] * WRITERS, 0
    for _ in range(lives):
        acknowledged = list(numbers)
        for kind, *fields in reports_of_a_life(
            directory, killed_after=rng.randrange(1, 60)
        ):
            seen[kind] += 1
            if kind == "fact":
                dot, fact = fields
                assert minted.setdefault(dot, fact) == fact, f"{dot} minted twice"
            else:
                acknowledged[int(fields[0])] = int(fields[1])
        value = value_on_disk(directory)
        for writer in range(WRITERS):
            found = value.map(writer).register("n", default=0)
            # One write may be on disk without anybody having been told.
            told = acknowledged[writer]
            assert found in (told, told + 1), f"{found} on disk, {told} acknowledged"
            assert isinstance(found, int)
            assert value.map(writer).add_wins_set("s") == {found} - {0}
            total += found - numbers[writer]
            seen["untold"] += found - told
            numbers[writer] = found
        assert value.counter("all") == total, f"{value.counter('all')}, not {total}"
    sys.stdout.write(json.dumps({"lives": lives, **seen}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
