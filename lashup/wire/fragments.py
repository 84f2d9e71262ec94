"""One message in several datagrams.

    fragment = message id (4 bytes) | index (2) | count (2) | part        big-endian

The sender numbers its messages; fragments may come in any order. When one is
lost, so is the message: after `FORGET_AFTER` seconds what came of it is dropped,
and reconciliation repairs whatever it would have said. No repeats, no
acknowledgements: a message that matters is never sent in fragments only.

What waits is bounded per sender and in total, counted as what has really arrived
(what a header announces costs nothing) plus a fixed price for each part, so that
many small parts cannot cost more memory than the bound says. The message that
began first goes first.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field

from lashup.errors import LimitExceeded, MalformedDatagram, UsageError
from lashup.machine import NEVER

_HEADER = struct.Struct(">IHH")

#: Bytes that a fragment adds to its part.
FRAGMENT_OVERHEAD = _HEADER.size

#: Bytes of the longest message that is cut or joined.
LARGEST_MESSAGE = 1 << 20

#: Seconds that an incomplete message waits for the rest. Parts leave together, so
#: what is seconds late is lost; longer only holds memory.
FORGET_AFTER = 5.0

_MOST_FRAGMENTS = (1 << 16) - 1
_PRICE_OF_A_PART = 128  # what Python needs beside the bytes: object, table entry


def split(message_id: int, payload: bytes, budget: int) -> list[bytes]:
    """The fragments of a message, each at most `budget` bytes.

    Args:
        message_id: Different from the sender's last thousands; rises by one with
            each message. Only its low 32 bits travel.
        payload: The message.
        budget: What fits into one datagram beside envelope and frame.

    Raises:
        UsageError: A budget with no room for a part.
        LimitExceeded: The message is longer than `LARGEST_MESSAGE`, or takes more
            than 65,535 fragments of that budget.
    """
    room = budget - FRAGMENT_OVERHEAD
    if room < 1:
        raise UsageError(f"{budget} bytes leave no room for a part of a message")
    count = max(1, -(-len(payload) // room))
    if len(payload) > LARGEST_MESSAGE or count > _MOST_FRAGMENTS:
        raise LimitExceeded(f"a message of {len(payload)} bytes in {count} fragments")
    low = message_id & 0xFFFF_FFFF
    return [
        _HEADER.pack(low, index, count) + payload[index * room : (index + 1) * room]
        for index in range(count)
    ]


@dataclass(slots=True)
class _Incomplete:
    """A message of which some parts have come."""

    count: int
    forget_at: float
    parts: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    cost: int = 0


@dataclass(slots=True)
class _Sender:
    """What waits from one sender, the message that began first in front."""

    waiting: dict[int, _Incomplete] = field(default_factory=dict)
    cost: int = 0


class Reassembly:
    """Joins fragments to messages, in bounded memory.

    Args:
        per_sender: Bytes that may wait from one sender.
        total: Bytes that may wait from all of them.
    """

    def __init__(self, *, per_sender: int = 4 << 20, total: int = 32 << 20) -> None:
        self._per_sender = per_sender
        self._total = total
        self._senders: dict[bytes, _Sender] = {}
        self._order: dict[tuple[bytes, int], float] = {}  # when to forget; as begun
        self._cost = 0
        self._counts: Counter[str] = Counter()

    def next_wakeup(self) -> float:
        """When the next incomplete message is to be forgotten. A late tick is safe."""
        return next(iter(self._order.values()), NEVER)

    def tick(self, *, now: float) -> None:
        """Forget what has waited too long by `now`."""
        while self._order:
            key, forget_at = next(iter(self._order.items()))
            if forget_at > now:
                return
            self._drop(key)
            self._counts["expired"] += 1

    def statistics(self) -> dict[str, int]:
        """Messages `joined`, `expired`, `evicted` since the start; what waits now."""
        totals = dict.fromkeys(("joined", "expired", "evicted"), 0)
        totals |= self._counts
        return {**totals, "waiting": len(self._order), "waiting_bytes": self._cost}

    def receive_untrusted(
        self, fragment: bytes, sender_key: bytes, *, now: float
    ) -> bytes | None:
        """Take one fragment in.

        Args:
            fragment: Header and part.
            sender_key: Who sent it, in a form that it cannot choose freely: the boot
                id that the envelope proved.
            now: The time.

        Returns:
            The message, when this was the last of its parts; otherwise None. Parts
            that are there already are ignored.

        Raises:
            MalformedDatagram: Not a fragment, or it contradicts the others of its
                message. Nothing has changed, but for what `tick` would forget.
        """
        self.tick(now=now)
        message_id, index, count = _header_untrusted(fragment)
        sender = self._senders.get(sender_key, _Sender())
        message = sender.waiting.get(message_id)
        if message is None:
            message = _Incomplete(count, now + FORGET_AFTER)
        part = fragment[FRAGMENT_OVERHEAD:]
        if message.count != count or message.size + len(part) > LARGEST_MESSAGE:
            raise MalformedDatagram("a fragment contradicts the rest of its message")
        # The fragment is sound. State changes below.
        if index in message.parts:
            return None
        self._senders.setdefault(sender_key, sender)
        sender.waiting.setdefault(message_id, message)
        self._order.setdefault((sender_key, message_id), message.forget_at)
        cost = len(part) + _PRICE_OF_A_PART
        message.parts[index] = part
        message.size += len(part)
        message.cost += cost
        sender.cost += cost
        self._cost += cost
        if len(message.parts) == count:
            self._drop((sender_key, message_id))
            self._counts["joined"] += 1
            return b"".join(message.parts[at] for at in range(count))
        self._make_room(sender_key, sender)
        return None

    def _make_room(self, sender_key: bytes, sender: _Sender) -> None:
        while sender.cost > self._per_sender:
            self._drop((sender_key, next(iter(sender.waiting))))
            self._counts["evicted"] += 1
        while self._cost > self._total:
            self._drop(next(iter(self._order)))
            self._counts["evicted"] += 1

    def _drop(self, key: tuple[bytes, int]) -> None:
        sender_key, message_id = key
        sender = self._senders[sender_key]
        message = sender.waiting.pop(message_id)
        sender.cost -= message.cost
        self._cost -= message.cost
        del self._order[key]
        if not sender.waiting:
            del self._senders[sender_key]


def _header_untrusted(fragment: bytes) -> tuple[int, int, int]:
    if len(fragment) < FRAGMENT_OVERHEAD:
        raise MalformedDatagram(f"a fragment of {len(fragment)} bytes")
    message_id, index, count = _HEADER.unpack_from(fragment)
    if index >= count:
        raise MalformedDatagram(f"fragment {index} of {count}")
    if len(fragment) == FRAGMENT_OVERHEAD and count > 1:
        raise MalformedDatagram("an empty part of a longer message")
    return message_id, index, count
