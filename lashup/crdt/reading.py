"""Whether two values read the same, though the facts below may have other dots.

A set's element that is added again, or a register that two replicas set alike, is
no change to a reader.
"""

from __future__ import annotations

from lashup.crdt import counter, multi_value_register, register
from lashup.crdt.branch import EMPTY, Branch
from lashup.crdt.field import Type, step_kind


def reads_the_same(one: Branch, two: Branch) -> bool:
    """Whether two maps read the same. Costs as much as differs between them."""
    return all(
        _step_reads_the_same(step, one.child(step) or EMPTY, two.child(step) or EMPTY)
        for step in one.differing(two)
    )


def _step_reads_the_same(step: bytes, one: Branch, two: Branch) -> bool:
    match step_kind(step):
        case Type.REGISTER:
            ours, theirs = register.stamped(one), register.stamped(two)
            if ours is None or theirs is None:
                return ours is theirs
            return _is_alike(ours[1], theirs[1])
        case Type.MULTI_VALUE_REGISTER:
            values = multi_value_register.values
            return _is_alike(list(values(one)), list(values(two)))
        case Type.COUNTER:
            return counter.total(one) == counter.total(two)
        case Type.ENABLE_WINS_FLAG | Type.DISABLE_WINS_FLAG:
            return bool(one.leaves) == bool(two.leaves)
        case Type.ELEMENT:
            return bool(one) == bool(two)
        case Type.MAP | Type.SET:
            # A map with fields of a later version only reads as empty, but is there.
            return bool(one) == bool(two) and reads_the_same(one, two)
        case _:
            return True  # A type of a later version, which nobody here can read.


def _is_alike(one: object, two: object) -> bool:
    """Equal, and of equal types all the way down: 1, 1.0 and True differ."""
    if type(one) is not type(two):
        return False
    match one, two:
        case list(), list():
            return len(one) == len(two) and all(map(_is_alike, one, two))
        case dict(), dict():
            # Keys of unequal types can be equal, so they are compared as values too.
            theirs = {key: (key, value) for key, value in two.items()}
            return len(one) == len(two) and all(
                key in theirs and _is_alike([key, value], list(theirs[key]))
                for key, value in one.items()
            )
        case _:
            return one == two or (one != one and two != two)  # two NaN read the same
