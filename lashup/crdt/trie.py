"""A persistent map: an update makes a new map and leaves the old one as it was.

Readers of the store hold whole values as they were at one moment, at no cost, while
writers go on. A copied dict would cost time in proportion to the map; here an
update copies one node of 16 per level.

The order of iteration depends on the keys alone, so that a simulated run is the same
in every process (Python's own string hash is not).

Source: Bagwell, "Ideal Hash Trees", 2001; the leaves here are small dicts, as a
dict of 16 costs less than a node each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar
from zlib import crc32

ValueT = TypeVar("ValueT")

_BITS = 4
_WIDTH = 1 << _BITS
#: A leaf that grows beyond this is split, unless the hash has no bits left.
_LEAF_LIMIT = 24
_DEEPEST = 32 // _BITS


class _Single(Generic[ValueT]):
    """A leaf with one entry: 48 bytes, where a dict takes 184.

    Most maps have one field, and most leaves of large ones get their first entry alone.
    """

    __slots__ = ("key", "value")

    def __init__(self, key: bytes, value: ValueT) -> None:
        self.key = key
        self.value = value


# A node is a leaf (dict, or single entry) or a branch (tuple of 16 nodes, None where
# there is none).
_Node: TypeAlias = (
    "dict[bytes, ValueT] | _Single[ValueT] | tuple[_Node[ValueT] | None, ...]"
)


class Trie(Generic[ValueT]):
    """An immutable map from bytes to values."""

    __slots__ = ("_count", "_root")

    def __init__(self) -> None:
        self._root: _Node[ValueT] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> ValueT | None:
        """The value under a key, None where there is none."""
        node = self._root
        if type(node) is _Single:  # most maps there are: no hash for them
            return node.value if node.key == key else None
        path = crc32(key)
        while type(node) is tuple:
            node = node[path & (_WIDTH - 1)]
            path >>= _BITS
        if type(node) is _Single:
            return node.value if node.key == key else None
        return None if node is None else node.get(key)  # type: ignore[union-attr]

    def items(self) -> Iterator[tuple[bytes, ValueT]]:
        """Every key with its value, sorted by key."""
        # The shape of the nodes shows the history, which replicas do not share.
        yield from sorted(_items(self._root), key=_key)

    def set(self, key: bytes, value: ValueT) -> Trie[ValueT]:
        """This map with a key set."""
        root, grown = _set(self._root, key, value, crc32(key), 0)
        return self._with(root, self._count + grown)

    def without(self, key: bytes) -> Trie[ValueT]:
        """This map less one key, which must be there.

        Raises:
            KeyError: It is not.
        """
        return self._with(_without(self._root, key, crc32(key)), self._count - 1)

    def _with(self, root: _Node[ValueT] | None, count: int) -> Trie[ValueT]:
        trie: Trie[ValueT] = Trie()
        trie._root = root
        trie._count = count
        return trie


def _items(node: _Node[ValueT] | None) -> Iterator[tuple[bytes, ValueT]]:
    if isinstance(node, tuple):
        for child in node:
            yield from _items(child)
    elif isinstance(node, _Single):
        yield node.key, node.value
    elif node is not None:
        yield from node.items()


def _key(item: tuple[bytes, object]) -> bytes:
    return item[0]


def _set(
    node: _Node[ValueT] | None, key: bytes, value: ValueT, path: int, depth: int
) -> tuple[_Node[ValueT], int]:
    if node is None:
        return _Single(key, value), 1
    if isinstance(node, tuple):
        slot = path & (_WIDTH - 1)
        child, grown = _set(node[slot], key, value, path >> _BITS, depth + 1)
        return (*node[:slot], child, *node[slot + 1 :]), grown
    if isinstance(node, _Single):
        if node.key == key:
            return _Single(key, value), 0
        return {node.key: node.value, key: value}, 1
    leaf = {**node, key: value}
    grown = len(leaf) - len(node)
    if len(leaf) <= _LEAF_LIMIT or depth == _DEEPEST:
        return leaf, grown
    return _split(leaf, depth), grown


def _split(leaf: dict[bytes, ValueT], depth: int) -> _Node[ValueT]:
    slots: list[dict[bytes, ValueT] | None] = [None] * _WIDTH
    for key, value in leaf.items():
        slot = (crc32(key) >> (depth * _BITS)) & (_WIDTH - 1)
        child = slots[slot]
        if child is None:
            slots[slot] = {key: value}
        else:
            child[key] = value
    return tuple(slots)


def _without(node: _Node[ValueT] | None, key: bytes, path: int) -> _Node[ValueT] | None:
    if node is None:
        raise KeyError(key)
    if isinstance(node, tuple):
        slot = path & (_WIDTH - 1)
        child = _without(node[slot], key, path >> _BITS)
        smaller = (*node[:slot], child, *node[slot + 1 :])
        return smaller if any(part is not None for part in smaller) else None
    if isinstance(node, _Single):
        if node.key != key:
            raise KeyError(key)
        return None
    leaf = dict(node)
    del leaf[key]
    if len(leaf) == 1:
        [(left, value)] = leaf.items()
        return _Single(left, value)
    return leaf


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
