"""A persistent map: an update makes a new map and leaves the old one as it was.

Readers of the store hold whole values as they were at one moment, at no cost, while
writers go on. A copied dict would cost time in proportion to the map; here an
update copies one node of 16 per level.

The order of iteration depends on the keys alone, so that a simulated run is the same
in every process (Python's own string hash is not).

Source: Bagwell, "Ideal Hash Trees", 2001; the leaves here are sorted tuples of keys and
values: 16 bytes for each entry, where a dict takes 50.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar
from zlib import crc32

ValueT = TypeVar("ValueT")

_BITS = 4
_WIDTH = 1 << _BITS
#: A leaf that grows beyond this is split, unless the hash has no bits left. So a leaf
#: of a large map has 3 entries at least, in the mean, to bear its own 128 bytes.
_LEAF_LIMIT = 48
_DEEPEST = 32 // _BITS


class _Leaf(Generic[ValueT]):
    """Some entries, the keys sorted."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: tuple[bytes, ...], values: tuple[ValueT, ...]) -> None:
        self.keys = keys
        self.values = values

    def set(self, key: bytes, value: ValueT) -> _Leaf[ValueT]:
        keys, values = self.keys, self.values
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            return _Leaf(keys, (*values[:place], value, *values[place + 1 :]))
        return _Leaf(
            (*keys[:place], key, *keys[place:]),
            (*values[:place], value, *values[place:]),
        )

    def without(self, key: bytes) -> _Leaf[ValueT] | None:
        keys, values = self.keys, self.values
        place = bisect_left(keys, key)
        if place == len(keys) or keys[place] != key:
            raise KeyError(key)
        if len(keys) == 1:
            return None
        return _Leaf(
            keys[:place] + keys[place + 1 :], values[:place] + values[place + 1 :]
        )


# A node is a leaf or a branch: a tuple of 16 nodes, None where there is none.
_Node: TypeAlias = "_Leaf[ValueT] | tuple[_Node[ValueT] | None, ...]"


class Trie(Generic[ValueT]):
    """An immutable map from bytes to values."""

    __slots__ = ("_count", "_root")

    def __init__(self, root: _Node[ValueT] | None = None, count: int = 0) -> None:
        self._root = root
        self._count = count

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> ValueT | None:
        """The value under a key, None where there is none."""
        node = self._root
        if isinstance(node, tuple):
            path = crc32(key)
            while isinstance(node, tuple):
                node = node[path & (_WIDTH - 1)]
                path >>= _BITS
        if node is None:
            return None
        keys = node.keys
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            return node.values[place]
        return None

    def items(self) -> Iterator[tuple[bytes, ValueT]]:
        """Every key with its value, sorted by key."""
        # The shape of the nodes shows the history, which replicas do not share.
        yield from sorted(_items(self._root), key=_key)

    def set(self, key: bytes, value: ValueT) -> Trie[ValueT]:
        """This map with a key set."""
        root, grown = _set(self._root, key, value, crc32(key), 0)
        return Trie(root, self._count + grown)

    def without(self, key: bytes) -> Trie[ValueT]:
        """This map less one key, which must be there.

        Raises:
            KeyError: It is not.
        """
        return Trie(_without(self._root, key, crc32(key)), self._count - 1)


def _items(node: _Node[ValueT] | None) -> Iterator[tuple[bytes, ValueT]]:
    if isinstance(node, tuple):
        for child in node:
            yield from _items(child)
    elif node is not None:
        yield from zip(node.keys, node.values, strict=True)


def _key(item: tuple[bytes, object]) -> bytes:
    return item[0]


def _set(
    node: _Node[ValueT] | None, key: bytes, value: ValueT, path: int, depth: int
) -> tuple[_Node[ValueT], int]:
    if node is None:
        return _Leaf((key,), (value,)), 1
    if isinstance(node, tuple):
        slot = path & (_WIDTH - 1)
        child, grown = _set(node[slot], key, value, path >> _BITS, depth + 1)
        return (*node[:slot], child, *node[slot + 1 :]), grown
    leaf = node.set(key, value)
    grown = len(leaf.keys) - len(node.keys)
    if len(leaf.keys) <= _LEAF_LIMIT or depth == _DEEPEST:
        return leaf, grown
    return _split(leaf, depth), grown


def _split(leaf: _Leaf[ValueT], depth: int) -> _Node[ValueT]:
    slots: list[dict[bytes, ValueT]] = [{} for _ in range(_WIDTH)]
    for key, value in zip(leaf.keys, leaf.values, strict=True):
        slots[(crc32(key) >> (depth * _BITS)) & (_WIDTH - 1)][key] = value
    return tuple(
        _Leaf(tuple(entries), tuple(entries.values())) if entries else None
        for entries in slots
    )


def _without(node: _Node[ValueT] | None, key: bytes, path: int) -> _Node[ValueT] | None:
    if node is None:
        raise KeyError(key)
    if isinstance(node, tuple):
        slot = path & (_WIDTH - 1)
        child = _without(node[slot], key, path >> _BITS)
        smaller = (*node[:slot], child, *node[slot + 1 :])
        return smaller if any(part is not None for part in smaller) else None
    return node.without(key)


def differing(one: Trie[ValueT], two: Trie[ValueT]) -> Iterator[bytes]:
    """The keys under which two maps do not hold the very same object.

    Maps that come from each other share most nodes; those are passed over, so the
    cost goes with the difference, not with the maps.
    """
    yield from _differing(one._root, two._root)  # noqa: SLF001


def _differing(one: _Node[ValueT] | None, two: _Node[ValueT] | None) -> Iterator[bytes]:
    if one is two:
        return
    if isinstance(one, tuple) and isinstance(two, tuple):
        for left, right in zip(one, two, strict=True):
            yield from _differing(left, right)
        return
    ours, theirs = dict(_items(one)), dict(_items(two))
    for key in {**ours, **theirs}:  # in an order that no hash seed changes
        if ours.get(key) is not theirs.get(key):
            yield key
