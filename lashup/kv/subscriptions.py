"""All subscribers of a store, found by how the keys they follow begin.

A service may have thousands of subscriptions, one for each thing it looks after, and
most changes concern one of them. So they are kept by what their pattern begins with, up
to its first wildcard: a key of n elements is offered to those of n + 1 beginnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lashup.crdt.branch import Branch
from lashup.crdt.field import Key, key_name
from lashup.kv.subscription import Subscription


class Subscriptions:
    """Those of one store."""

    def __init__(self) -> None:
        self._by_head: dict[Key, dict[int, Subscription]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, subscription: Subscription) -> None:
        """Offer changes to it from now on."""
        self._by_head.setdefault(subscription.head, {})[id(subscription)] = subscription
        self._count += 1

    def remove(self, subscription: Subscription) -> None:
        """Forget it; one that is not there is no error."""
        beside = self._by_head.get(subscription.head, {})
        if beside.pop(id(subscription), None) is None:
            return
        self._count -= 1
        if not beside:
            del self._by_head[subscription.head]

    def offer(
        self, before: Mapping[bytes, Branch], now: Callable[[bytes], Branch]
    ) -> list[Subscription]:
        """Offer changes to all whom they may concern.

        Args:
            before: What packed keys had before the change.
            now: Says what one has now.

        Returns:
            Those who have something to take, each once.
        """
        if not self._by_head:
            return []
        told: dict[int, Subscription] = {}
        for packed_key, old in before.items():
            new = now(packed_key)
            for subscription in self._candidates(key_name(packed_key)):
                if subscription.offer(packed_key, old, new):
                    told[id(subscription)] = subscription
        return list(told.values())

    def _candidates(self, key: Key) -> Iterator[Subscription]:
        for size in range(len(key) + 1):
            yield from self._by_head.get(key[:size], {}).values()
