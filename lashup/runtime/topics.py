"""Who follows which multicast topic. A topic that nobody follows takes no memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lashup.multicast import Delivered
from lashup.runtime.broadcast import Broadcast, Feed


class Topics:
    """The followers of all topics on one node."""

    def __init__(self) -> None:
        self._by_name: dict[str, Broadcast[Delivered]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    @contextmanager
    def open_feed(self, topic: str) -> Iterator[Feed[Delivered]]:
        """A new follower of one topic, as long as the context lasts."""
        followers = self._by_name.setdefault(topic, Broadcast())
        try:
            with followers.open_feed() as feed:
                yield feed
        finally:
            if not followers and self._by_name.get(topic) is followers:
                del self._by_name[topic]

    def deliver(self, message: Delivered) -> None:
        """Tell those who follow its topic. Never waits."""
        followers = self._by_name.get(message.topic)
        if followers is not None:
            followers.send(message)

    def close(self) -> None:
        """There will be no more."""
        for followers in self._by_name.values():
            followers.close()
