"""What is to be sent, until it is sealed: messages to one peer share datagrams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from lashup.channels import Channel
from lashup.machine import Address, Send, Transmit
from lashup.wire.envelope import Seal
from lashup.wire.fragments import split
from lashup.wire.frames import FRAME_OVERHEAD, LEAST_DATAGRAM, pack_frames

OtherT = TypeVar("OtherT")


class Outbox:
    """Collects messages between two calls of the driver.

    Args:
        seal: Seals the datagrams.
        size: Bytes of one datagram, at most.

    Attributes:
        narrow: Bytes of one datagram where fewer pass, by destination.
    """

    def __init__(self, seal: Seal, *, size: int) -> None:
        self.narrow: Mapping[Address, int] = {}
        self._seal = seal
        self._long: dict[Address, None] = {}
        self._room = size - seal.overhead
        self._waiting: dict[Address, list[tuple[int, bytes]]] = {}
        self._message_id = 0

    @property
    def payload(self) -> int:
        """Bytes of the longest message that travels in one piece."""
        return self._room - FRAME_OVERHEAD

    @property
    def least_payload(self) -> int:
        """The same of one that travels so to everybody, on narrow paths, too."""
        narrow = (width - self._seal.overhead for width in self.narrow.values())
        return min(self._room, min(narrow, default=self._room)) - FRAME_OVERHEAD

    def put(self, to: Address, channel: int, payload: bytes) -> None:
        """Add a message.

        Raises:
            LimitExceeded: Longer than fragments can carry.
        """
        frames = self._waiting.get(to)
        if frames is None:
            frames = self._waiting[to] = []
        room = self._room_to(to)
        if len(payload) + FRAME_OVERHEAD <= room:
            frames.append((channel, payload))
            return
        self._message_id += 1
        # The channel of the whole stands in front of it; the parts have their own.
        message = bytes((channel,)) + payload
        for part in split(self._message_id, message, room - FRAME_OVERHEAD):
            frames.append((Channel.FRAGMENT, part))

    def seal_all(self) -> list[Transmit]:
        """Every message that waits, in order per destination, in few datagrams."""
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, {}
        transmits = [
            Transmit(to, self._seal.seal(pack_frames(together)))
            for to, frames in waiting.items()
            for together in self._packed(frames, self._room_to(to))
        ]
        for transmit in transmits:
            if len(transmit.data) > LEAST_DATAGRAM:
                self._long[transmit.to] = None
        return transmits

    def take_long(self) -> list[Address]:
        """Where datagrams longer than `LEAST_DATAGRAM` went since the last call."""
        if not self._long:
            return []
        long, self._long = self._long, {}
        return list(long)

    def seal_each_alone(
        self, channel: int, effects: Iterable[Send | OtherT]
    ) -> list[Transmit | OtherT]:
        """Each message at once, in a datagram of its own, however narrow the path."""
        return [
            Transmit(each.to, self._seal.seal(pack_frames([(channel, each.payload)])))
            if isinstance(each, Send)
            else each
            for each in effects
        ]

    def seal_for_every_key(
        self, to: Address, channel: int, payload: bytes
    ) -> list[Transmit]:
        """A short message at once, in a datagram for each key of the ring."""
        plaintext = pack_frames([(channel, payload)])
        return [Transmit(to, data) for data in self._seal.seal_with_each(plaintext)]

    def _room_to(self, to: Address) -> int:
        width = self.narrow.get(to)
        return self._room if width is None else width - self._seal.overhead

    @staticmethod
    def _packed(
        frames: list[tuple[int, bytes]], room: int
    ) -> list[list[tuple[int, bytes]]]:
        if len(frames) == 1:
            return [frames]
        packed: list[list[tuple[int, bytes]]] = [[]]
        used = 0
        for channel, payload in frames:
            size = len(payload) + FRAME_OVERHEAD
            if packed[-1] and used + size > room:
                packed.append([])
                used = 0
            packed[-1].append((channel, payload))
            used += size
        return packed
