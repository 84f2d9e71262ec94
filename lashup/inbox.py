"""What comes in, from a sealed datagram to the messages in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lashup.channels import Channel
from lashup.errors import MalformedDatagram
from lashup.wire.envelope import Seal
from lashup.wire.fragments import Reassembly
from lashup.wire.frames import frames_untrusted


class Inbox:
    """Opens datagrams, takes them apart and joins what came in fragments.

    Args:
        seal: Opens the datagrams.

    Attributes:
        malformed: Fragments of members that made no sense.
    """

    def __init__(self, seal: Seal) -> None:
        self.malformed = 0
        self._seal = seal
        self._reassembly = Reassembly()

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._reassembly.next_wakeup()

    def tick(self, *, now: float) -> None:
        """Forget messages whose parts do not come."""
        self._reassembly.tick(now=now)

    def statistics(self) -> Mapping[str, int]:
        """Counts of messages in fragments."""
        return self._reassembly.statistics()

    def messages_untrusted(
        self, datagram: bytes, *, now: float
    ) -> Iterator[tuple[int, bytes]]:
        """The messages of a datagram, each with its channel, which may be unknown.

        Raises:
            MalformedDatagram: No member sealed it, it came before, or its frames do
                not fit. Before the first message; nothing has changed but counts.
        """
        opened = self._seal.open_untrusted(datagram)
        frames = frames_untrusted(opened.plaintext)
        return self._messages(frames, opened.boot_id, now=now)

    def _messages(
        self, frames: list[tuple[int, bytes]], boot_id: bytes, *, now: float
    ) -> Iterator[tuple[int, bytes]]:
        for channel, payload in frames:
            if channel != Channel.FRAGMENT:
                yield channel, payload
            elif whole := self._joined(payload, boot_id, now=now):
                # The channel of the whole stands in front of it (see `outbox`).
                yield whole[0], whole[1:]

    def _joined(self, fragment: bytes, boot_id: bytes, *, now: float) -> bytes | None:
        try:
            return self._reassembly.receive_untrusted(fragment, boot_id, now=now)
        except MalformedDatagram:
            self.malformed += 1
            return None
