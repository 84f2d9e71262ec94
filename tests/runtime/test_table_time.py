"""What a waiting update waits for, and for how long, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import pytest
from trio.testing import MockClock

from lashup import Unconfirmed, register
from lashup.effects import Effect, Visible
from lashup.machine import Persist
from lashup.node import Node
from lashup.runtime.table import Table
from tests.test_node import node

DISK = 100.0  # seconds


class SlowDisk:
    """Carries out what a node alone asks for; its disk takes its time."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.table = Table(
            node,
            clock=anyio.current_time,
            carry_out=self._carry_out,
            carry_out_alone=self._carry_out,
            require_open=lambda: None,
            require_member=lambda: None,
            wait_until=self._wait_until,
        )
        self._tickets: list[int] = []

    async def run(self) -> None:
        """Let what was asked for by now be on disk after a while."""
        while True:
            await anyio.sleep(DISK)
            tickets, self._tickets = self._tickets, []
            for ticket in tickets:
                now = anyio.current_time()
                self._carry_out(self.node.persisted(ticket, now=now))

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Persist(ticket):
                    self._tickets.append(ticket)
                case Visible(update):
                    self.table.made_visible(update)
                case _:
                    pass

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        if not condition():
            await anyio.sleep_forever()  # nobody answers


@pytest.mark.parametrize("wait", [1, "all"])
def test_a_slow_disk_does_not_use_up_the_time_for_the_others(wait) -> None:
    async def main() -> None:
        disk = SlowDisk(node(1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(disk.run)
            await disk.table.update(
                ("k",), register("n").assign(1), wait=wait, within=1
            )
            assert anyio.current_time() - began == pytest.approx(DISK)
            tasks.cancel_scope.cancel()

    clock = MockClock(autojump_threshold=0)
    began = clock.current_time()
    anyio.run(main, backend_options={"clock": clock}, backend="trio")


def test_the_time_for_the_others_begins_when_the_write_is_on_disk() -> None:
    async def main() -> None:
        disk = SlowDisk(node(1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(disk.run)
            with pytest.raises(Unconfirmed):
                await disk.table.update(
                    ("k",), register("n").assign(1), wait=2, within=3
                )
            assert anyio.current_time() - began == pytest.approx(DISK + 3)
            assert disk.table.get(("k",)).register("n") == 1
            tasks.cancel_scope.cancel()

    clock = MockClock(autojump_threshold=0)
    began = clock.current_time()
    anyio.run(main, backend_options={"clock": clock}, backend="trio")
