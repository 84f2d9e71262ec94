"""Patterns of keys.

A pattern is a tuple like a key. `ANY` stands for one element, whatever it is; `...`
at the end for any number of further ones, none included.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from types import EllipsisType
from typing import Final, TypeAlias

from lashup.crdt.facts import FactSet
from lashup.crdt.field import Key, Name, check_name, key_name, pack_elements
from lashup.errors import UsageError


class _Wildcard(enum.Enum):
    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


#: Stands for one element of a key.
ANY: Final = _Wildcard.ANY

Pattern: TypeAlias = "tuple[Name | _Wildcard | EllipsisType, ...]"

#: More elements than any key can have.
_BEYOND_ANY = 1 << 32

#: Every key.
EVERYTHING: Pattern = (...,)


def check_pattern(pattern: Pattern) -> None:
    """Raises UsageError when it is no tuple of names, `ANY`, and at the end `...`."""
    if not isinstance(pattern, tuple) or not pattern:
        raise UsageError(f"pattern: must be a tuple, not {pattern!r}")
    if any(part is ... for part in pattern[:-1]):
        raise UsageError(f"pattern: ... may stand only at the end of {pattern!r}")
    for part in pattern:
        if part is not ... and part is not ANY:
            check_name(part)


def matches(pattern: Pattern, key: Key) -> bool:
    """Whether a key is one of those that a pattern means."""
    if pattern[-1] is ...:
        head = pattern[:-1]
        key = key[: len(head)]
    else:
        head = pattern
    return len(head) == len(key) and all(
        wanted is ANY or (wanted == name and type(wanted) is type(name))
        for wanted, name in zip(head, key, strict=True)
    )


def matching(pattern: Pattern, facts: FactSet) -> Iterator[bytes]:
    """The packed keys of a table that match a pattern, in order.

    Costs what begins as the pattern does up to its first `ANY`, not the table.

    Raises:
        UsageError: Not a pattern.
    """
    check_pattern(pattern)
    head = pattern[:-1] if pattern[-1] is ... else pattern
    names = literals(head)
    beyond = _BEYOND_ANY if pattern[-1] is ... else len(head) + 1
    keys = facts.keys_beginning(pack_elements(names), range(len(head), beyond))
    if all(part is ANY for part in head[len(names) :]):
        return keys
    return (key for key in keys if matches(pattern, key_name(key)))


def literals(pattern: Pattern) -> list[Name]:
    """What a pattern begins with, up to its first wildcard."""
    names: list[Name] = []
    for part in pattern:
        if part is ANY or part is ...:
            break
        names.append(part)
    return names
