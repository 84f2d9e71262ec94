"""The keys of a table in order, so that those with one beginning are found at once.

A packed key is a header, which says how many elements there are, and then the packed
elements. No packed element is the beginning of another, so among keys with one header
those with the same first elements are those with the same first bytes, and in the
order of bytes they stand side by side. There is one sorted sequence for each header.

A sequence is a list of short sorted lists: one long list would move megabytes for
each new key. They hold the very bytes objects that the table has, so a key costs 9
bytes here when they fill at random (tracemalloc, 300,000 keys), and at most 16.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

#: Keys of one short list, at most; then it is cut in two. To move 8 kB costs less
#: than a call.
_LONGEST = 1_024

# The first byte of msgpack's arrays with a length of two and of four bytes; of
# shorter ones it holds the length itself, in four bits.
_ARRAY_16, _ARRAY_32 = 0xDC, 0xDD


class KeyIndex:
    """Packed keys in order: those of fewer elements first, then by their bytes."""

    __slots__ = ("_sequences",)

    def __init__(self) -> None:
        #: By header.
        self._sequences: dict[bytes, _Sequence] = {}

    def add(self, key: bytes) -> None:
        """Take in a key that is not there."""
        header = _header(key)
        sequence = self._sequences.get(header)
        if sequence is None:
            sequence = self._sequences[header] = _Sequence()
        sequence.add(key)

    def remove(self, key: bytes) -> None:
        """Forget a key, which must be there."""
        header = _header(key)
        sequence = self._sequences[header]
        sequence.remove(key)
        if not sequence:
            del self._sequences[header]

    def beginning(self, elements: bytes, sizes: range) -> Iterator[bytes]:
        """The keys with some first elements, in order. Costs what it gives.

        Of no use any more once a key has come or gone.

        Args:
            elements: Packed one by one, without a header; may be empty.
            sizes: How many elements a key may have.
        """
        for header in sorted(self._sequences):  # longer keys have greater headers
            if _size(header) in sizes:
                yield from self._sequences[header].beginning(header + elements)


class _Sequence:
    """Sorted keys, in short lists of which none is empty."""

    __slots__ = ("_lasts", "_lists")

    def __init__(self) -> None:
        self._lists: list[list[bytes]] = []
        #: The last key of each list.
        self._lasts: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._lists)

    def add(self, key: bytes) -> None:
        place = bisect_left(self._lasts, key)
        if place == len(self._lasts):
            if not place:
                self._lists.append([])
                self._lasts.append(key)
            else:
                place -= 1
            self._lasts[place] = key
        keys = self._lists[place]
        insort(keys, key)
        if len(keys) > _LONGEST:
            # A full list whose greatest came last was filled in order: leave it full.
            cut = _LONGEST if keys[-1] is key else _LONGEST // 2
            self._lists[place : place + 1] = [keys[:cut], keys[cut:]]
            self._lasts.insert(place, keys[cut - 1])

    def remove(self, key: bytes) -> None:
        place = bisect_left(self._lasts, key)
        keys = self._lists[place]
        del keys[bisect_left(keys, key)]
        if keys:
            self._lasts[place] = keys[-1]
        else:
            del self._lists[place], self._lasts[place]

    def beginning(self, prefix: bytes) -> Iterator[bytes]:
        place = bisect_left(self._lasts, prefix)
        for keys in self._lists[place:]:
            first = bisect_left(keys, prefix)
            if keys[-1].startswith(prefix):
                yield from keys[first:]
                continue
            for key in keys[first:]:
                if not key.startswith(prefix):
                    return
                yield key


def _header(key: bytes) -> bytes:
    if key[0] < _ARRAY_16:
        return key[:1]
    return key[:3] if key[0] == _ARRAY_16 else key[:5]


def _size(header: bytes) -> int:
    if len(header) == 1:
        return header[0] & 0x0F
    return int.from_bytes(header[1:], "big")
