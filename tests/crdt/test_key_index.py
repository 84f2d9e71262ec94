"""The index of keys: what a scan finds, in order, at the cost of what is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt.field import key_name, pack_elements, pack_key
from lashup.crdt.key_index import _LONGEST, KeyIndex
from tests.strategies import keys

_BEYOND = 1 << 32


def _scan(present, elements, sizes):
    """The same by looking at every key; in the index's order."""
    found = [
        key
        for key in present
        if len(key_name(key)) in sizes
        and pack_elements(key_name(key)).startswith(elements)
    ]
    return sorted(found, key=lambda key: (len(key_name(key)), key))


def _index(present):
    index = KeyIndex()
    for key in present:
        index.add(key)
    return index


#: Such as share beginnings, and some of more elements than fit a short header.
_some_keys = st.one_of(
    keys,
    st.lists(st.sampled_from(["", "a", "ab", 1, b"a", ("a",)]), min_size=1, max_size=4),
    st.integers(14, 18).map(lambda size: ("a",) * size),
).map(lambda key: pack_key((*key,)))


@given(
    st.lists(st.tuples(st.booleans(), _some_keys), max_size=40),
    st.lists(_some_keys, max_size=5),
    st.integers(0, 18),
    st.integers(0, 18) | st.just(_BEYOND),
)
def test_what_begins_alike_is_what_a_scan_finds(changes, asked, least, most):
    index, present = KeyIndex(), set()
    for is_new, key in changes:
        if is_new and key not in present:
            index.add(key)
            present.add(key)
        elif present and not is_new:
            gone = min(present, key=lambda one: (one != key, one))
            index.remove(gone)
            present.discard(gone)
    sizes = range(least, most + 1)

    for key in [*asked, *present]:
        names = key_name(key)
        for elements in map(pack_elements, (names, names[:1], ())):
            found = list(index.beginning(elements, sizes))
            assert found == _scan(present, elements, sizes)


@pytest.mark.parametrize("order", ["rising", "falling", "any"])
def test_many_keys_that_come_and_go_stay_in_order(order):
    rng = random.Random(order)
    present = [pack_key((n % 7, n)) for n in range(3 * _LONGEST)]
    if order == "falling":
        present.reverse()
    elif order == "any":
        rng.shuffle(present)
    index = _index(present)
    gone = set(rng.sample(present, 2 * _LONGEST))
    for key in gone:
        index.remove(key)

    left = [key for key in present if key not in gone]
    for elements in map(pack_elements, ((), (0,), (3,), (6,), (7,))):
        found = list(index.beginning(elements, range(3)))
        assert found == _scan(left, elements, range(3))
    for key in left:
        index.remove(key)
    assert list(index.beginning(b"", range(_BEYOND))) == []


class _Counted(bytes):
    """A key that counts how often it is compared or looked at."""

    looks = 0

    def __lt__(self, other):
        _Counted.looks += 1
        return bytes.__lt__(self, other)

    def startswith(self, *args):
        _Counted.looks += 1
        return bytes.startswith(self, *args)


def test_a_beginning_costs_what_it_finds_and_not_the_table():
    names = [("few", n) for n in range(10)] + [("many", n) for n in range(20_000)]
    random.Random(1).shuffle(names)
    index = _index([_Counted(pack_key(name)) for name in names])
    _Counted.looks = 0

    found = list(index.beginning(pack_elements(("few",)), range(_BEYOND)))

    assert len(found) == 10
    assert _Counted.looks < 50
