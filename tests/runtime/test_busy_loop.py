"""A node that has much to do leaves turns to the other tasks of its process."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from lashup import NodeConfig, open_node
from lashup.effects import Effect
from lashup.machine import Address
from lashup.node import Node

#: Datagrams, and seconds that each takes.
MANY, SLOW = 100, 0.004


async def test_a_flood_of_datagrams_leaves_turns_to_others(
    monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    received = turns = 0

    def receive(_: Node, data: bytes, sender: Address, *, now: float) -> list[Effect]:
        nonlocal received
        received += 1
        mock_clock.jump(SLOW)
        return []

    async with open_node(NodeConfig(name="a")) as node, trio.open_nursery() as nursery:

        async def look() -> None:
            nonlocal turns
            while received < MANY:
                before = received
                await trio.lowlevel.checkpoint()
                turns += 0 < before < received
            nursery.cancel_scope.cancel()

        monkeypatch.setattr(Node, "receive", receive)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for _ in range(MANY):
                peer.sendto(b"?", node.address)
        nursery.start_soon(look)

    # 100 x 4 ms in turns of 12 at most.
    assert turns >= 20
