"""What is to be sent, until it is sealed: messages to one peer share datagrams."""

from __future__ import annotations

from lashup.channels import Channel
from lashup.machine import Address, Transmit
from lashup.wire.envelope import Seal
from lashup.wire.fragments import split
from lashup.wire.frames import FRAME_OVERHEAD, pack_frames


class Outbox:
    """Collects messages between two calls of the driver.

    Args:
        seal: Seals the datagrams.
        size: Bytes of one datagram, at most.
    """

    def __init__(self, seal: Seal, *, size: int) -> None:
        self._seal = seal
        self._room = size - seal.overhead
        self._waiting: dict[Address, list[tuple[int, bytes]]] = {}
        self._message_id = 0

    @property
    def payload(self) -> int:
        """Bytes of the longest message that travels in one piece."""
        return self._room - FRAME_OVERHEAD

    def put(self, to: Address, channel: int, payload: bytes) -> None:
        """Add a message.

        Raises:
            LimitExceeded: Longer than fragments can carry.
        """
        frames = self._waiting.get(to)
        if frames is None:
            frames = self._waiting[to] = []
        if len(payload) + FRAME_OVERHEAD <= self._room:
            frames.append((channel, payload))
            return
        self._message_id += 1
        # The channel of the whole stands in front of it; the parts have their own.
        message = bytes((channel,)) + payload
        for part in split(self._message_id, message, self.payload):
            frames.append((Channel.FRAGMENT, part))

    def seal_all(self) -> list[Transmit]:
        """Every message that waits, in order per destination, in few datagrams."""
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, {}
        return [
            Transmit(to, self._seal.seal(pack_frames(together)))
            for to, frames in waiting.items()
            for together in self._packed(frames)
        ]

    def seal_for_every_key(
        self, to: Address, channel: int, payload: bytes
    ) -> list[Transmit]:
        """A short message at once, in a datagram for each key of the ring."""
        plaintext = pack_frames([(channel, payload)])
        return [Transmit(to, data) for data in self._seal.seal_with_each(plaintext)]

    def _packed(self, frames: list[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
        if len(frames) == 1:
            return [frames]
        packed: list[list[tuple[int, bytes]]] = [[]]
        used = 0
        for channel, payload in frames:
            size = len(payload) + FRAME_OVERHEAD
            if packed[-1] and used + size > self._room:
                packed.append([])
                used = 0
            packed[-1].append((channel, payload))
            used += size
        return packed
