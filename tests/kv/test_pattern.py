"""Patterns of keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import MapField
from lashup.crdt.field import key_name
from lashup.errors import UsageError
from lashup.kv.pattern import ANY, EVERYTHING, check_pattern, matches, matching
from tests.strategies import keys, names
from tests.vocabulary import Site


@pytest.mark.parametrize(
    ("pattern", "key", "is_match"),
    [
        (("a", "b"), ("a", "b"), True),
        (("a",), ("a", "b"), False),
        (("a", "b"), ("a",), False),
        (("a", ANY), ("a", "b"), True),
        (("a", ANY), ("a",), False),
        (("a", ANY), ("a", "b", "c"), False),
        ((ANY,), (("t", 1),), True),
        (("a", ...), ("a",), True),
        (("a", ...), ("a", "b", "c"), True),
        (("a", "b", ...), ("a",), False),
        (("a", ...), ("b",), False),
        ((...,), ("x", 1), True),
        ((ANY, "b", ...), (7, "b", 9), True),
        (("1",), (1,), False),
        ((b"a",), ("a",), False),
        ((("t", 1),), (("t", 1),), True),
        ((("t", 1),), (("t", 2),), False),
    ],
)
def test_a_pattern_matches_the_keys_it_means(pattern, key, is_match):
    check_pattern(pattern)

    assert matches(pattern, key) == is_match


@given(keys)
def test_everything_matches_every_key_and_a_key_matches_itself(key):
    assert matches(EVERYTHING, key)
    assert matches(key, key)
    assert matches((*key, ...), key)
    assert matches(tuple(ANY for _ in key), key)


@pytest.mark.parametrize(
    "pattern",
    [(), "a", ["a"], None, (..., "a"), (..., ...), (1.5,), (None,), (True,), (object,)],
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(UsageError):
        check_pattern(pattern)


_few = st.sampled_from(["a", "b", b"a", 1, "1", ("a",), (1,)])
patterns = st.builds(
    lambda head, tail: (*head, *tail),
    st.lists(_few | names | st.just(ANY), max_size=3),
    st.sampled_from([(), (...,)]),
).filter(bool)


@given(
    st.lists(keys | st.lists(_few, min_size=1, max_size=4).map(tuple), max_size=12),
    st.lists(st.integers(0, 11), max_size=4),
    st.lists(patterns, min_size=1, max_size=8),
)
def test_the_index_finds_what_a_scan_of_the_table_finds(written, removed, asked):
    site = Site(0)
    for key in written:
        site.write(MapField().register("r").assign(1), key=key)
    for place in removed:
        if place < len(written):
            site.write(MapField().remove(), key=written[place])

    for pattern in [*asked, *written, *[(*key[:1], ...) for key in written]]:
        found = [key_name(key) for key in matching(pattern, site.facts)]
        scan = [
            key for key in map(key_name, site.facts.keys()) if matches(pattern, key)
        ]
        assert sorted(map(repr, found)) == sorted(map(repr, scan))
