"""When this agent's lines are written and taken back, in a real node's table."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network, ip_address

import pytest
import trio
import trio.testing

from lashup import ANY, LOCAL, NodeConfig, RunningNode, open_node
from lashup.machine import Persist
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.storage import Rows
from navstar.allocation import Allocation, Overlay, Vtep
from navstar.line import KEY_PREFIX, Line
from navstar.line_table import LineTable
from navstar.publish import Speaker
from navstar.publisher import REST, Publisher, Speech

ALLOCATION = Allocation(
    overlays=(
        Overlay(
            name="dcos",
            vtep=Vtep(
                name="vtep1024",
                vni=1024,
                mac="70:b3:d5:80:00:01",
                port=64000,
                address=IPv4Interface("44.128.0.1/20"),
            ),
            subnet=IPv4Network("9.0.0.0/8"),
            block=IPv4Network("9.0.1.0/24"),
        ),
    )
)


class SlowDisk:
    """Rows in memory; facts wait for `go_on`."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.is_writing = threading.Event()
        self._rows = MemoryStorage()

    def load(self) -> Rows:
        return self._rows.load()

    def commit(self, batch: Sequence[Persist]) -> None:
        if any(table == "fact" for persist in batch for table, _, _ in persist.puts):
            self.is_writing.set()
            assert self.go_on.wait(timeout=10)
        self._rows.commit(batch)

    def close(self) -> None:
        pass


def lines_of(node: RunningNode) -> tuple[Line, ...]:
    table = LineTable()
    for key in node.kv.keys((*KEY_PREFIX, ANY)):
        table.update(key, node.kv.get(key))
    return table.lines


def publisher_of(node: RunningNode) -> Publisher:
    speaker = Speaker(node.id.hex(), node.name, ip_address("10.0.0.1"))

    def speech() -> Speech:
        return Speech(ALLOCATION, speaker, lines_of(node), is_programmed=True)

    return Publisher(node, speech=speech, on_change=lambda _: None, period=60.0)


@pytest.fixture
def config() -> NodeConfig:
    return NodeConfig(name="a1", membership=LOCAL)


async def test_who_falls_silent_takes_back_a_line_that_is_still_being_written(
    config: NodeConfig, nursery: trio.Nursery
) -> None:
    disk = SlowDisk()
    async with open_node(config, storage=disk) as node:
        publisher = publisher_of(node)
        nursery.start_soon(publisher.run)
        await trio.to_thread.run_sync(disk.is_writing.wait, 10)
        silent = trio.Event()

        async def present() -> tuple[Line, ...]:
            return lines_of(node)

        async def fall_silent() -> None:
            await publisher.fall_silent(present)
            silent.set()

        nursery.start_soon(fall_silent)
        await trio.testing.wait_all_tasks_blocked()
        disk.go_on.set()
        with trio.fail_after(10):
            await silent.wait()
            await node.wait_until(lambda: not node.statistics()["kv_writes_waiting"])

        assert lines_of(node) == ()
        nursery.cancel_scope.cancel()


async def test_new_numbers_are_said_when_the_kernel_takes_them_in(
    config: NodeConfig, nursery: trio.Nursery
) -> None:
    (overlay,) = ALLOCATION.overlays
    vtep = replace(overlay.vtep, vni=1030)
    renumbered = Allocation(overlays=(replace(overlay, vtep=vtep),))

    async with open_node(config, storage=MemoryStorage()) as node:
        speaker = Speaker(node.id.hex(), node.name, ip_address("10.0.0.1"))
        now = [(ALLOCATION, True)]

        def speech() -> Speech:
            allocation, is_programmed = now[-1]
            return Speech(allocation, speaker, lines_of(node), is_programmed)

        async def says(vni: int, *, within: float) -> bool:
            with trio.move_on_after(within):
                await node.wait_until(lambda: {x.vni for x in lines_of(node)} == {vni})
                return True
            return False

        publisher = Publisher(node, speech=speech, on_change=lambda _: None, period=60)
        nursery.start_soon(publisher.run)
        assert await says(1024, within=10)
        now.append((renumbered, False))
        publisher.look()
        assert not await says(1030, within=4 * REST)
        now.append((renumbered, True))
        publisher.look()

        assert await says(1030, within=10)
        nursery.cancel_scope.cancel()
