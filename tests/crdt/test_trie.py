"""The persistent map against a plain dictionary."""

from __future__ import annotations

from itertools import count
from zlib import crc32

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lashup.crdt.trie import Trie, differing


def _colliding(wanted: int) -> list[bytes]:
    """Keys that share the low bits of their hash, so that leaves go deep."""
    found = (str(n).encode() for n in count() if crc32(str(n).encode()) & 0xFFFF == 77)
    return [next(found) for _ in range(wanted)]


COLLIDING = _colliding(30)
keys = (
    st.sampled_from(COLLIDING)
    | st.integers(0, 400).map(lambda n: b"%d" % n)
    | st.binary(max_size=2)
)


class AgainstADictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.versions: list[tuple[Trie[object], dict[bytes, object]]] = [(Trie(), {})]

    @rule(start=st.integers(0, 1 << 16), count=st.integers(1, 80), at=st.integers(0, 9))
    def set_many(self, start: int, count: int, at: int) -> None:
        trie, model = self.versions[at % len(self.versions)]
        model = dict(model)
        for n in range(start, start + count):
            key = b"%d" % n if n % 3 else COLLIDING[n % len(COLLIDING)]
            value = object()
            trie, model[key] = trie.set(key, value), value
        self.versions.append((trie, model))

    @rule(data=st.data())
    def drop_many(self, data: st.DataObject) -> None:
        trie, model = self.versions[-1]
        model = dict(model)
        for key in data.draw(st.sets(st.sampled_from(sorted(model) or [b""]))):
            if key in model:
                trie = trie.without(key)
                del model[key]
        self.versions.append((trie, model))

    @rule(key=keys)
    def drop_what_is_not_there(self, key: bytes) -> None:
        trie, model = self.versions[-1]
        if key not in model:
            with pytest.raises(KeyError):
                trie.without(key)

    @rule(one=st.integers(0, 30), two=st.integers(0, 30))
    def compare(self, one: int, two: int) -> None:
        trie, model = self.versions[one % len(self.versions)]
        other, others = self.versions[two % len(self.versions)]
        found = list(differing(trie, other))

        assert len(found) == len(set(found))
        assert set(found) == {
            key
            for key in model.keys() | others.keys()
            if model.get(key) is not others.get(key)
        }

    def teardown(self) -> None:
        for trie, model in self.versions:
            assert len(trie) == len(model)
            assert dict(trie.items()) == model
            assert [key for key, _ in trie.items()] == sorted(model)
            assert all(trie.get(key) is value for key, value in model.items())
            assert trie.get(b"never there") is None


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None
)


def test_keys_of_one_hash_all_have_room() -> None:
    trie: Trie[int] = Trie()
    pairs = [b"plumless", b"buckeroo"]  # the textbook collision of CRC-32
    assert crc32(pairs[0]) == crc32(pairs[1])
    filler = [b"%d" % n for n in range(5_000)]

    for number, key in enumerate([*filler, *pairs]):
        trie = trie.set(key, number)

    assert [trie.get(key) for key in pairs] == [5_000, 5_001]
