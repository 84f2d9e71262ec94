"""The sums of a table's record hashes, and the answers to somebody's walk."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from lashup.errors import MalformedDatagram
from lashup.reconcile.ranges import (
    FIRSTS,
    LEAF_LEVEL,
    PLACE_BITS,
    RANGES,
    ROOT,
    children_of,
    level_of,
    places_of,
)
from lashup.wire.readers import (
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

MASK = (1 << 64) - 1

#: Ranges that one question may be about.
MOST_RANGES = 32
#: Bytes of one answer. Every range of the question has an equal share of them, and is
#: listed if its list has room there: with few differences that saves a round trip.
ANSWER_BYTES = 1_200
#: Bytes of a sum, and of a record's hash, as they travel.
SUM_BYTES, HASH_BYTES = 3, 4

#: The lower levels' sums are made when asked for; these two are kept.
_KEPT = FIRSTS[LEAF_LEVEL]
#: Places of one bucket: a range of the level above the leaves.
_BUCKET_SHIFT = 4
_MIDDLE_SHIFT = 8


def keyed_hash(hash_key: bytes, *parts: bytes) -> int:
    """A 64-bit hash of some byte strings, their lengths included.

    Args:
        hash_key: At most 64 bytes, the same on all members of a cluster.
        parts: What must agree.
    """
    state = blake2b(digest_size=8, key=hash_key)
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return int.from_bytes(state.digest(), "big")


def shortened(value: int, salt: int, size: int) -> bytes:
    """A 64-bit hash or sum as it travels.

    Multiply-shift: two different values are the same in `size` bytes for one odd salt
    among 2**(8 * size - 1) at most (Dietzfelbinger et al. 1997). Zero stays zero.
    """
    return ((value * salt & MASK) >> (64 - 8 * size)).to_bytes(size, "big")


class Summary:
    """The sums of a table's record hashes, range by range, kept up to date.

    A record that comes or goes changes three sums and one list of keys.

    Args:
        key_size: Bytes of every key.
        hash_key: Places the keys; the same on all members of a cluster.
    """

    def __init__(self, *, key_size: int, hash_key: bytes) -> None:
        self.key_size = key_size
        self._hash_key = hash_key
        self._hashes: dict[bytes, int] = {}
        #: Of the root, and of all ranges above the leaves.
        self._sums = array("Q", bytes(8 * _KEPT))
        #: The keys of 16 neighbouring leaves in one string: a list would be dearer.
        self._buckets: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._hashes)

    @property
    def root(self) -> int:
        """The sum of all record hashes."""
        return self._sums[ROOT]

    def get(self, key: bytes) -> int | None:
        """The record hash under a key, None where there is none."""
        return self._hashes.get(key)

    def put(self, key: bytes, record_hash: int) -> None:
        """Set the record hash of a key, whether or not it was there."""
        place = self._place_of(key)
        previous = self._hashes.get(key)
        if previous is None:
            previous = 0
            bucket = place >> _BUCKET_SHIFT
            self._buckets[bucket] = self._buckets.get(bucket, b"") + key
        self._hashes[key] = record_hash
        self._add(place, record_hash - previous)

    def discard(self, key: bytes) -> None:
        """Take a key out; one that is not there is no error."""
        previous = self._hashes.pop(key, None)
        if previous is None:
            return
        place = self._place_of(key)
        bucket = place >> _BUCKET_SHIFT
        left = b"".join(k for k in self._keys_in_bucket(bucket) if k != key)
        if left:
            self._buckets[bucket] = left
        else:
            del self._buckets[bucket]
        self._add(place, -previous)

    def sum_of(self, position: int) -> int:
        """The sum of one range."""
        if position < _KEPT:
            return self._sums[position]
        return sum(self.records_in(position).values()) & MASK

    def sums_of_children(self, position: int) -> list[int]:
        """The sums of all ranges that a range is made of, in their order."""
        children = children_of(position)
        if children.stop <= _KEPT:
            return list(self._sums[children.start : children.stop])
        sums = [0] * len(children)
        [bucket] = _buckets_of(position)
        for key in self._keys_in_bucket(bucket):
            sums[self._place_of(key) & (len(children) - 1)] += self._hashes[key]
        return [total & MASK for total in sums]

    def count_in(self, position: int) -> int:
        """How many records a range has; of a leaf, its bucket's are counted."""
        if position == ROOT:
            return len(self._hashes)
        sizes = (len(self._buckets.get(b, b"")) for b in _buckets_of(position))
        return sum(sizes) // self.key_size

    def records_in(self, position: int) -> dict[bytes, int]:
        """The records of one range, by key."""
        if position == ROOT:
            return dict(self._hashes)
        buckets = _buckets_of(position)
        keys = [key for bucket in buckets for key in self._keys_in_bucket(bucket)]
        if level_of(position) == LEAF_LEVEL:
            places = places_of(position)
            keys = [key for key in keys if self._place_of(key) in places]
        return {key: self._hashes[key] for key in keys}

    def answer_untrusted(self, ask: bytes, *, room: int = ANSWER_BYTES) -> bytes:
        """Answer one question of somebody's walk.

        Args:
            ask: The question.
            room: Bytes that the lists of the answer may take together. Leaves are
                listed, whatever their length.

        Raises:
            MalformedDatagram: Not a question.
        """
        number, salt, asked = fields_untrusted(unpack_untrusted(ask), 3)[:3]
        number, salt = natural_untrusted(number), natural_untrusted(salt)
        positions = fields_untrusted(asked, 1)
        if len(positions) > MOST_RANGES:
            raise MalformedDatagram(
                f"{len(positions)} ranges in one question, at most {MOST_RANGES}"
            )
        share = room // len(positions)
        listed, bodies = 0, []
        for index, value in enumerate(positions):
            position = natural_untrusted(value, below=RANGES)
            if self._lists(position, share):
                listed |= 1 << index
                bodies.append(self._listing(position, salt))
            else:
                bodies.append(self._sums_short(position, salt))
        return pack([number, listed, bodies])

    def _lists(self, position: int, share: int) -> bool:
        if level_of(position) == LEAF_LEVEL:
            return True
        return self.count_in(position) * (self.key_size + HASH_BYTES) <= share

    def _listing(self, position: int, salt: int) -> bytes:
        records = self.records_in(position)
        return b"".join(
            key + shortened(value, salt, HASH_BYTES) for key, value in records.items()
        )

    def _sums_short(self, position: int, salt: int) -> bytes:
        sums = self.sums_of_children(position)
        return b"".join(shortened(total, salt, SUM_BYTES) for total in sums)

    def _keys_in_bucket(self, bucket: int) -> Sequence[bytes]:
        keys, size = self._buckets.get(bucket), self.key_size
        if keys is None:
            return ()
        return [keys[at : at + size] for at in range(0, len(keys), size)]

    def _place_of(self, key: bytes) -> int:
        digest = blake2b(key, digest_size=PLACE_BITS // 8, key=self._hash_key).digest()
        return int.from_bytes(digest, "big")

    def _add(self, place: int, difference: int) -> None:
        sums = self._sums
        middle = FIRSTS[1] + (place >> _MIDDLE_SHIFT)
        bucket = FIRSTS[2] + (place >> _BUCKET_SHIFT)
        for position in (ROOT, middle, bucket):
            sums[position] = sums[position] + difference & MASK


def _buckets_of(position: int) -> range:
    """The buckets that hold the keys of a range, and more keys where it is a leaf."""
    places = places_of(position)
    return range(places.start >> _BUCKET_SHIFT, (places.stop - 1 >> _BUCKET_SHIFT) + 1)
