"""Timestamps of the hybrid clock that facts carry."""

from __future__ import annotations

from collections.abc import Iterable

from lashup.crdt.fact import Fact
from lashup.crdt.field import Type, step_kind
from lashup.crdt.hybrid_clock import seconds
from lashup.crdt.register import read_payload_untrusted
from lashup.errors import MalformedDatagram


def timestamp_of(fact: Fact) -> int:
    """The hybrid timestamp in a fact, 0 when its type has none."""
    if step_kind(fact.path[-1]) != Type.REGISTER:
        return 0
    try:
        return read_payload_untrusted(fact.payload)[0]
    except MalformedDatagram:
        return 0


def last_written(facts: Iterable[Fact]) -> float:
    """When the latest of some facts was written, in seconds since 1970; 0: unknown."""
    return seconds(max(map(timestamp_of, facts), default=0))
