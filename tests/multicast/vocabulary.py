"""Members that hear multicast over a network that loses; no timers, so no clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from lashup.machine import Address, NodeId, Send
from lashup.multicast import Delivered, Multicast, MulticastConfig
from tests.membership.vocabulary import address, node_id


@dataclass
class Everybody:
    """A view in which all of them are alive."""

    order: Sequence[NodeId]
    _addresses: dict[NodeId, Address] = field(default_factory=dict)

    def address_of(self, node: NodeId) -> Address | None:
        return self._addresses.get(node)


def view_of(numbers: Sequence[int]) -> Everybody:
    addresses = {node_id(number): address(number) for number in numbers}
    return Everybody(sorted(addresses), addresses)


class Cluster:
    def __init__(
        self, size: int, *, arity: int = 16, loss: float = 0.0, seed: int = 0
    ) -> None:
        self.view = view_of(range(size))
        self.loss = loss
        self.rng = random.Random(seed)
        self.copies = 0
        self.hops: dict[NodeId, int] = {}
        self.crashed: set[Address] = set()
        self.nodes = {
            address(number): Multicast(
                node_id(number), epoch=1, config=MulticastConfig(arity=arity)
            )
            for number in range(size)
        }
        self.delivered: dict[Address, list[Delivered]] = {a: [] for a in self.nodes}

    def multicast(self, number: int, payload: bytes, *, topic: str = "t") -> None:
        origin = self.nodes[address(number)]
        sends = origin.send(topic, payload, view=self.view, now=0.0)
        self.spread(sends)

    def spread(self, sends: Sequence[Send]) -> None:
        """Breadth first, as if all links took the same time."""
        queue = deque((1, send) for send in sends)
        while queue:
            hop, send = queue.popleft()
            self.copies += 1
            if send.to in self.crashed or self.rng.random() < self.loss:
                continue
            node = self.nodes[send.to]
            for effect in node.receive(send.payload, view=self.view, now=0.0):
                if isinstance(effect, Send):
                    queue.append((hop + 1, effect))
                else:
                    self.delivered[send.to].append(effect)
                    self.hops[node._me] = hop

    def reached(self) -> int:
        return sum(1 for messages in self.delivered.values() if messages)
