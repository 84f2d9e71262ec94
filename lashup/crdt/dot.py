"""Dots: the names of updates.

Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types",
arXiv:1603.01529, section 7.
"""

from __future__ import annotations

from typing import NamedTuple, NewType

#: One life of one replica: eight random bytes, never used again by another life.
#: Ten thousand actors meet with a probability of 3e-12.
Actor = NewType("Actor", bytes)

ACTOR_SIZE = 8

#: Counters start at 1 and stay below this: eight bytes on disk, signed.
COUNTER_LIMIT = 1 << 63


class Dot(NamedTuple):
    """The name of one update: the `counter`-th, from 1, that `actor` made."""

    actor: Actor
    counter: int
