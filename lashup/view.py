"""The membership as the other machines of a node want to see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lashup.kv.serving import BURST
from lashup.machine import Address, NodeId
from lashup.membership import Swim


@dataclass(frozen=True, slots=True)
class View:
    """Who is there now, and where.

    Attributes:
        membership: Read at each call.
    """

    membership: Swim

    @property
    def order(self) -> Sequence[NodeId]:
        """The ids of the live members, sorted, this node included."""
        return self.membership.alive()

    @property
    def is_alone(self) -> bool:
        """Whether this node is the only live member; not so for one that has left."""
        order = self.order
        return len(order) == 1 and order[0] == self.membership.me.id

    def address_of(self, node: NodeId) -> Address | None:
        """Where to send what is for a member; None if it is not known."""
        return self.membership.address_of(node)

    def peer_at(self, address: Address) -> NodeId | None:
        """The other member that lives at an address; None if there is none."""
        return self.membership.peer_at(address)

    def peers(self) -> dict[NodeId, Address]:
        """The other members that are alive, and where they are."""
        me = self.membership.me.id
        addresses = {node: self.address_of(node) for node in self.order if node != me}
        return {node: to for node, to in addresses.items() if to is not None}

    def burst_for(self, sender: Address) -> int:
        """Datagrams that an answer to a source may have.

        A source address is not sealed. Where no member is known to be, a recorded
        question must not aim a burst of answers.
        """
        return BURST if self.membership.is_at(sender) else 1
