"""Patterns of keys."""

from __future__ import annotations

import pytest
from hypothesis import given

from lashup.errors import UsageError
from lashup.kv.pattern import ANY, EVERYTHING, check_pattern, matches
from tests.strategies import keys


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
