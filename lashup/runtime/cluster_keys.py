"""The keys of the whole cluster, as an operator's tool uses them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from lashup.effects import Effect
from lashup.errors import KeysDiffer, UsageError
from lashup.kinds import check_number
from lashup.machine import Address, NodeId
from lashup.membership import Liveness, Member
from lashup.node import Node
from lashup.rotation import Command, MemberKeys, Order
from lashup.wire.keyring import KEY_ID_SIZE

#: Seconds that a member which is down is given to answer: it may live behind a
#: partition, or lack the key that the others seal with.
_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class KeyReport:
    """Who has which key, after an order.

    Attributes:
        keys: Ids of all keys by member, this node among them, as far as they answered.
        missing: The members that did not answer. Those that have left are none of them.
    """

    keys: Mapping[NodeId, MemberKeys]
    missing: tuple[Member, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every member has answered and done what it was told."""
        return not self.missing and not any(k.refusal for k in self.keys.values())

    def lacking(self, key_id: bytes) -> tuple[NodeId, ...]:
        """The members that have answered and do not have a key."""
        return tuple(n for n, held in self.keys.items() if key_id not in held.keys)

    def sealing_with(self, key_id: bytes) -> tuple[NodeId, ...]:
        """The members that have answered and seal with a key."""
        return tuple(n for n, held in self.keys.items() if held.sealing == key_id)


class ClusterKeys:
    """Looks at the keys of all members, and replaces them without an interruption.

    `install` the new key, `use` it, `remove` the old one. Each can be repeated until
    its report is complete. Key ids are four public bytes (`lashup.key_id_of`).

    A member counts as long as it has not left and was not forgotten (a day after it
    went down): `use` and `remove` refuse while one of them could be locked out by it.
    """

    def __init__(
        self,
        node: Node,
        *,
        carry_out: Callable[[Sequence[Effect]], None],
        require_member: Callable[[], None],
        wait_until: Callable[[Callable[[], bool]], Awaitable[None]],
    ) -> None:
        self._node = node
        self._carry_out = carry_out
        self._require_member = require_member
        self._wait_until = wait_until

    async def show(self, *, within: float = 5.0) -> KeyReport:
        """Ask every member which keys it has.

        Args:
            within: Seconds to wait for members that are alive; for others at most one.

        Raises:
            ConfigError: `within` is not a number.
            NodeClosed: The node has left or stopped.
        """
        return await self._order(Order(Command.SHOW), within=within)

    async def install(self, key: bytes, *, within: float = 5.0) -> KeyReport:
        """Let every member open what this key seals, from now on and after restarts.

        Nothing is sealed with it yet. Members that answer late, or were away, are
        told by another call.

        Args:
            key: 32 random bytes.
            within: As for `show`.

        Raises:
            UsageError: Not 32 bytes; or this node runs without a key; or has 8 keys;
                or `within` is not a number.
                Nothing has changed anywhere.
            NodeClosed: The node has left or stopped.
        """
        return await self._order(Order(Command.INSTALL, key), within=within)

    async def use(
        self, key_id: bytes, *, within: float = 5.0, leave_behind: bool = False
    ) -> KeyReport:
        """Let every member seal with a key that all have.

        Args:
            key_id: Of a key that was installed.
            within: As for `show`, once for the question and once for the order.
            leave_behind: Do it though some member lacks the key or does not answer. It
                will not hear the others until it is given the key: by `install`, as
                long as they have a key of its own, or in its configuration.

        Raises:
            KeysDiffer: A member lacks the key, or did not say. Nothing has changed.
            UsageError: Not a key id, or of a key that this node does not have. Nothing
                has changed.
            NodeClosed: The node has left or stopped.
        """
        _check_key_id(key_id)
        before = await self.show(within=within)
        lacking = before.lacking(key_id)
        if not leave_behind:
            self._refuse(
                before,
                lacking,
                f"key {key_id.hex()} is not known to be on every member",
                "install it there first",
            )
        return await self._order(Order(Command.USE, key_id), within=within)

    async def remove(
        self, key_id: bytes, *, within: float = 5.0, leave_behind: bool = False
    ) -> KeyReport:
        """Let every member forget a key that nobody seals with.

        Args:
            key_id: Of the old key.
            within: As for `use`.
            leave_behind: Do it though some member seals with it, lacks the key that
                this node seals with, or does not answer. It is locked out until its
                configuration has a key of the others.

        Raises:
            KeysDiffer: There is such a member. Nothing has changed.
            UsageError: Not a key id, or this node seals with it. Nothing has changed.
            NodeClosed: The node has left or stopped.
        """
        _check_key_id(key_id)
        before = await self.show(within=within)
        ours = self._node.keyring.sealing_id
        stuck = {*before.sealing_with(key_id), *before.lacking(ours)} - {self._node.id}
        if not leave_behind:
            self._refuse(
                before,
                sorted(stuck),
                f"without key {key_id.hex()} a member could be locked out",
                "let all use another first",
            )
        return await self._order(Order(Command.REMOVE, key_id), within=within)

    def _refuse(
        self, report: KeyReport, stuck: Sequence[NodeId], problem: str, way_out: str
    ) -> None:
        if not stuck and not report.missing:
            return
        name_of = {m.id: m.name for m in self._node.membership.members}
        who = [name_of.get(node, node.hex()) for node in stuck]
        who += [
            f"{m.name} ({m.liveness.name.lower()}, no answer)" for m in report.missing
        ]
        raise KeysDiffer(
            tuple(stuck),
            tuple(m.id for m in report.missing),
            problem=f"{problem}: {', '.join(who)}; {way_out}, wait until it answers, "
            "or leave it behind (leave_behind=True)",
        )

    async def _order(self, order: Order, *, within: float) -> KeyReport:
        check_number("within", within)  # before our own ring has changed
        self._require_member()
        others = self._others()
        peers = {member.id: address for member, address in others}
        alive = {member.id for member, _ in others if member.liveness.is_live}
        now = anyio.current_time()
        number, effects = self._node.order_keys(order, peers, now=now)
        answers = self._node.rotation.answers(number)
        try:
            self._carry_out(effects)
            await self._wait_until(lambda: self._node.id in answers)
            with anyio.move_on_after(within):
                await self._wait_until(lambda: answers.keys() >= alive)
                with anyio.move_on_after(_GRACE):
                    await self._wait_until(lambda: answers.keys() >= peers.keys())
        finally:
            self._node.rotation.end(number)
        missing = tuple(member for member, _ in others if member.id not in answers)
        return KeyReport(dict(answers), missing)

    def _others(self) -> list[tuple[Member, Address]]:
        """Every other member that has not left, and where it is."""
        membership = self._node.membership
        return [
            (member, address)
            for member in membership.members
            if member.id != self._node.id and member.liveness is not Liveness.LEFT
            if (address := membership.address_of(member.id)) is not None
        ]


def _check_key_id(key_id: object) -> None:
    """Raises UsageError for what is no key id. A key in its place is never shown."""
    if type(key_id) is not bytes or len(key_id) != KEY_ID_SIZE:
        raise UsageError(
            f"key_id: must be the {KEY_ID_SIZE} bytes that lashup.key_id_of(key) gives"
        )
