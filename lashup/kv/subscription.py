"""A subscriber's view of the changes: every key's newest value, at its own pace.

What a subscriber has not taken yet is one entry per key: the value it was last
given. So a slow one never holds more than the keys there are and those it was given,
always ends at the newest value, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lashup.crdt.branch import EMPTY, Branch
from lashup.crdt.field import Key, key_name
from lashup.crdt.map import MapView
from lashup.crdt.reading import reads_the_same
from lashup.kv.pattern import Pattern, check_pattern, literals, matches


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A key's value is another than the subscriber was last given.

    Attributes:
        key: Which.
        old: What the subscriber was last given; empty at first.
        new: The value now; empty when the key is gone.
    """

    key: Key
    old: MapView
    new: MapView


class Subscription:
    """One subscriber.

    Args:
        pattern: The keys of interest.
        present: Packed keys that match it and have a value, of which it was given
            nothing yet.

    Raises:
        UsageError: Not a pattern.
    """

    def __init__(self, pattern: Pattern, present: Iterable[bytes] = ()) -> None:
        check_pattern(pattern)
        self._pattern = pattern
        #: What the keys of interest begin with.
        self.head: Key = tuple(literals(pattern))
        #: Packed key: what the subscriber was last given.
        self._pending = dict.fromkeys(present, EMPTY)

    def __len__(self) -> int:
        """How many keys wait to be taken."""
        return len(self._pending)

    def offer(self, packed_key: bytes, old: Branch, new: Branch) -> bool:
        """A key changed from `old` to `new`. True when there is something to take."""
        given = self._pending.get(packed_key)
        if given is None:
            if not matches(self._pattern, key_name(packed_key)):
                return False
            given = self._pending[packed_key] = old
        if not given and not new:
            # It came and went unseen. Keys that come and go must not pile up here.
            del self._pending[packed_key]
            return False
        return True

    def next_key(self) -> bytes | None:
        """The key that has waited longest, None when there is nothing to take."""
        return next(iter(self._pending), None)

    def take(self, packed_key: bytes, new: Branch) -> KeyChanged | None:
        """Give a waiting key out. None when it reads as it did before."""
        old = self._pending.pop(packed_key)
        if reads_the_same(old, new):
            return None
        key = key_name(packed_key)
        return KeyChanged(key, MapView(old), MapView(new))
