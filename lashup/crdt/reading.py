"""Whether two values read the same, though the facts below may have other dots.

A set's element that is added again, or a register that two replicas set alike, is
no change to a reader.
"""

from __future__ import annotations

from lashup.crdt import register
from lashup.crdt.branch import EMPTY, Branch
from lashup.crdt.field import Type, step_kind
from lashup.wire.readers import pack


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
            return pack(ours[1]) == pack(theirs[1])  # 1, 1.0 and True differ
        case Type.ELEMENT:
            return bool(one) == bool(two)
        case Type.MAP | Type.SET:
            return reads_the_same(one, two)
        case _:
            return True  # A type of a later version, which nobody here can read.
