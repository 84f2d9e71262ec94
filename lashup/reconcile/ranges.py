"""The tree of ranges in which keys are placed, and how each range is numbered.

The root is 0, its 256 children are 1 to 256, their 16 children each are 257 to 4,352,
and the 16 children of each of those are the leaves. A key's place is 16 bits; the range
of a level that holds it is given by the top 0, 8, 12 or 16 of them.
"""

from __future__ import annotations

from bisect import bisect_right

ROOT = 0
#: Children of a range of each level; the last level is the leaves.
FANOUTS = (256, 16, 16)
#: Bits of a place that name a range, by level.
BITS = (0, 8, 12, 16)
PLACE_BITS = BITS[-1]
LEAF_LEVEL = len(FANOUTS)

#: The number of the first range of each level, and one past the last of all.
FIRSTS = (0, 1, 1 + 256, 1 + 256 + 4_096)
RANGES = FIRSTS[-1] + 65_536


def level_of(position: int) -> int:
    """How deep a range is: 0 for the root, 3 for a leaf."""
    return bisect_right(FIRSTS, position, 1) - 1


def children_of(position: int) -> range:
    """The ranges that a range is made of; none of a leaf."""
    level = level_of(position)
    if level == LEAF_LEVEL:
        return range(0)
    fanout = FANOUTS[level]
    first = FIRSTS[level + 1] + (position - FIRSTS[level]) * fanout
    return range(first, first + fanout)


def places_of(position: int) -> range:
    """The places that a range is about."""
    level = level_of(position)
    width = 1 << (PLACE_BITS - BITS[level])
    first = (position - FIRSTS[level]) * width
    return range(first, first + width)
