"""The keys of a whole cluster: told to every member, and asked of every member.

Theory of operation
-------------------
An order (show, install, use, remove) is carried out on the own keyring, which is then
put on disk, and only then sent to the others. Each does the same and answers with the
ids of its keys, so that whoever gave the order sees who has which. Orders repeated or
out of turn do no harm: a keyring is a set and a choice, and both can be set twice.

Orders and answers are sealed under every key of the ring, not only under the one that
seals: a member that was away while another key came into use hears them, and can be
given the key, as long as one key of its own has not been removed.

A key travels sealed under the older ones. Whoever has recorded that and gets hold of an
older key has the new one, too: a key that is known to be stolen is replaced by hand.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from lashup.errors import MalformedDatagram, UsageError
from lashup.machine import NEVER, Address, NodeId, Send
from lashup.wire.kept_keyring import keyring_row
from lashup.wire.keyring import KEY_ID_SIZE, KEY_SIZE, Keyring
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    node_id_untrusted,
    pack,
    unpack_untrusted,
)

#: Seconds after which those who did not answer are told again.
RETRY_AFTER = 0.5
#: Keys of one ring, at most: a rotation needs two.
MOST_KEYS = 8

_ORDER, _ANSWER = 1, 2
_NUMBERS = 1 << 63


class Command(enum.IntEnum):
    """What an order asks for. Part of the wire format."""

    SHOW = 0
    INSTALL = 1
    USE = 2
    REMOVE = 3


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        command: What to do.
        argument: The key to install, or the id of the key to use or remove.
    """

    command: Command
    argument: bytes = b""


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """The keyring of one member, by ids.

    Attributes:
        sealing: The key that it seals with.
        keys: All keys that it opens with.
        refusal: Why it did not do what it was told; empty if it did.
    """

    sealing: bytes
    keys: tuple[bytes, ...]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """Put the keyring on disk; call `Rotation.kept` once it is there.

    Attributes:
        token: For `kept`.
        row: The keyring, for `ring_untrusted` of the next start.
    """

    token: int
    row: bytes


RotationEffect: TypeAlias = Send | Keep


@dataclass(slots=True)
class _Round:
    """An order of ours, until the caller has seen enough."""

    payload: bytes
    peers: dict[NodeId, Address]
    repeat_at: float = NEVER
    answers: dict[NodeId, MemberKeys] = field(default_factory=dict)


class Rotation:
    """Both sides, for one node.

    Args:
        keyring: Ours; changed by orders.
        configured: The keys of the configuration.
        me: This node.
        rng: Names orders, so that none is taken for one of another start.
    """

    def __init__(
        self, keyring: Keyring, *, configured: Sequence[bytes], me: NodeId, rng: Random
    ) -> None:
        self.keyring = keyring
        self._configured = configured
        self._me = me
        self._rng = rng
        self._rounds: dict[int, _Round] = {}
        self._token = 0
        #: What to send once the keyring is on disk, and whose round to begin.
        self._after: dict[int, tuple[tuple[Send, ...], int | None]] = {}

    def next_wakeup(self) -> float:
        """When `tick` has something to send."""
        if not self._rounds:
            return NEVER
        return min(one.repeat_at for one in self._rounds.values())

    def begin(
        self, order: Order, peers: Mapping[NodeId, Address], *, now: float
    ) -> tuple[int, list[RotationEffect]]:
        """Give an order to this node, then to others.

        Args:
            order: What to do.
            peers: Who else is told, and where.
            now: The time.

        Returns:
            A number for `answers` and `end`, and the effects.

        Raises:
            UsageError: This node cannot do it itself. Nothing has changed.
        """
        refusal = self._obey(order)
        if refusal:
            raise UsageError(refusal)
        number = self._rng.randrange(_NUMBERS)
        payload = pack([_ORDER, number, order.command, order.argument])
        self._rounds[number] = _Round(payload, dict(peers))
        if order.command is Command.SHOW:
            return number, [*self._begin_round(number, now=now)]
        return number, [self._keep((), number)]

    def answers(self, number: int) -> Mapping[NodeId, MemberKeys]:
        """Who has answered an order so far; this node once its ring is on disk."""
        return self._rounds[number].answers

    def end(self, number: int) -> None:
        """Tell nobody of an order any more."""
        self._rounds.pop(number, None)

    def tick(self, *, now: float) -> list[Send]:
        """Repeat orders to those who did not answer."""
        return [
            send
            for number, one in self._rounds.items()
            if one.repeat_at <= now
            for send in self._tell(number, now=now)
        ]

    def kept(self, token: int, *, now: float) -> list[Send]:
        """The keyring is on disk."""
        sends, number = self._after.pop(token, ((), None))
        if number is None or number not in self._rounds:
            return list(sends)
        return [*sends, *self._begin_round(number, now=now)]

    def receive_untrusted(
        self, payload: bytes, sender: Address
    ) -> list[RotationEffect]:
        """Carry out somebody's order, or take in an answer to ours.

        Raises:
            MalformedDatagram: Neither. Nothing has changed.
        """
        fields = fields_untrusted(unpack_untrusted(payload), 2)
        match natural_untrusted(fields[0], below=256):
            case 1:
                number, order = _order_untrusted(fields)
                return self._carry_out(number, order, sender)
            case 2:
                self._hear_answer_untrusted(fields)
                return []
            case _:
                return []  # A later version's.

    def _carry_out(
        self, number: int, order: Order, sender: Address
    ) -> list[RotationEffect]:
        refusal = self._obey(order)
        ours = self._holding(refusal)
        answer = pack(
            [_ANSWER, number, self._me, ours.sealing, list(ours.keys), refusal]
        )
        send = Send(sender, answer)
        if refusal or order.command is Command.SHOW:
            return [send]
        return [self._keep((send,), None)]

    def _obey(self, order: Order) -> str:
        """Do it; why not, if it cannot be done."""
        ring = self.keyring
        try:
            match order.command:
                case Command.INSTALL:
                    is_new = order.argument not in map(ring.get, ring)
                    if is_new and len(ring) >= MOST_KEYS:
                        return f"{MOST_KEYS} keys are enough; remove one first"
                    ring.install(order.argument)
                case Command.USE:
                    ring.use(order.argument)
                case Command.REMOVE:
                    if order.argument in ring:
                        ring.remove(order.argument)
                case Command.SHOW:
                    pass
        except UsageError as error:
            return str(error)
        return ""

    def _holding(self, refusal: str = "") -> MemberKeys:
        return MemberKeys(self.keyring.sealing_id, tuple(self.keyring), refusal)

    def _keep(self, sends: tuple[Send, ...], number: int | None) -> Keep:
        self._token += 1
        self._after[self._token] = sends, number
        row = keyring_row(self.keyring, configured=self._configured)
        return Keep(self._token, row)

    def _begin_round(self, number: int, *, now: float) -> list[Send]:
        self._rounds[number].answers[self._me] = self._holding()
        return self._tell(number, now=now)

    def _tell(self, number: int, *, now: float) -> list[Send]:
        one = self._rounds[number]
        one.repeat_at = now + RETRY_AFTER
        return [
            Send(address, one.payload)
            for node, address in one.peers.items()
            if node not in one.answers
        ]

    def _hear_answer_untrusted(self, fields: list[object]) -> None:
        number, node, sealing, keys, refusal = fields_untrusted(fields, 6)[1:6]
        if not isinstance(refusal, str):
            raise MalformedDatagram("a refusal is a text")
        held = MemberKeys(
            bytes_untrusted(sealing, KEY_ID_SIZE),
            tuple(
                bytes_untrusted(key, KEY_ID_SIZE) for key in fields_untrusted(keys, 1)
            ),
            refusal,
        )
        who = node_id_untrusted(node)
        one = self._rounds.get(natural_untrusted(number))
        if one is not None and who in one.peers:
            one.answers[who] = held


def _order_untrusted(fields: list[object]) -> tuple[int, Order]:
    number, command, argument = fields_untrusted(fields, 4)[1:4]
    order = Order(
        Command(natural_untrusted(command, below=len(Command))),
        bytes_untrusted(argument, None),
    )
    size = {Command.SHOW: 0, Command.INSTALL: KEY_SIZE}.get(order.command, KEY_ID_SIZE)
    if len(order.argument) != size:
        raise MalformedDatagram(f"{order.command.name} of {len(order.argument)} bytes")
    return natural_untrusted(number), order
