"""The dump format: a whole table in one piece of msgpack, for backups and for moving.

    ["lashup-dump", version, cluster, made, facts, [delta, delta, ...], checksum, as_of]

`made` is milliseconds since 1970, `facts` their number; each delta is as on the wire
(`delta_codec`) and stands alone; the checksum is BLAKE2b of 16 bytes over the
deltas, one after the other. `as_of` is the day since 1970 on which the table was last
in touch with the others: what is dumped of a disk that was off is older than the dump.
Version 1 is this one. What old readers can do without is appended, as `as_of` was.

A dump is a state, not a list of commands. Loading joins it: what is there already is
no change, what was removed since stays removed, and newer writes stand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from heapq import merge
from itertools import islice
from typing import TypeVar

from lashup.crdt.causal_context import CausalContext, Runs, without
from lashup.crdt.cut import Cut
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta
from lashup.errors import MalformedDatagram
from lashup.kv.absence import day_of
from lashup.kv.delta_codec import decode_delta_untrusted, encode_delta
from lashup.kv.rider import DAY_LIMIT
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    pack,
    text_untrusted,
    unpack_untrusted,
)

FORMAT = "lashup-dump"
VERSION = 1
#: Facts of one delta, and actors of one that only says what is gone.
_TOGETHER = 256
_CHECKSUM_SIZE = 16
#: Some milliseconds' worth.
_SORTED_AT_ONCE = 4_096

ValueT = TypeVar("ValueT", Actor, int)


@dataclass(frozen=True, slots=True)
class Dump:
    """What a dump holds.

    Attributes:
        cluster: The label of the cluster that it is of.
        made: Seconds since 1970.
        as_of: The day since 1970 on which the table was last up to date.
        facts: How many.
        deltas: To be joined, in any order.
    """

    cluster: str
    made: float
    as_of: int
    facts: int
    deltas: tuple[Delta, ...]


def encode_dump(
    state: Cut, *, cluster: str, wall: float, as_of: int | None = None
) -> bytes:
    """A whole state as a dump. Equal states give equal dumps.

    Made to run in a thread: whatever takes long in it lets other threads run.

    Args:
        state: All of it taken.
        cluster: The label.
        wall: Seconds since 1970, now.
        as_of: The day since 1970 on which the table was up to date; None: today.
    """
    count = 0
    deltas = []
    for delta in _pieces(state):
        count += len(delta.facts)
        deltas.append(encode_delta(delta))
    made = int(wall * 1000)
    checksum = _checksum(deltas)
    day = day_of(wall) if as_of is None else as_of
    return pack([FORMAT, VERSION, cluster, made, count, deltas, checksum, day])


def decode_dump_untrusted(data: bytes) -> Dump:
    """What a dump holds, once all of it has proved to be whole.

    Raises:
        MalformedDatagram: It is none, of a later version, or damaged.
    """
    fields = fields_untrusted(unpack_untrusted(data), 2)
    if fields[0] != FORMAT:
        raise MalformedDatagram("not a dump of lashup")
    version = natural_untrusted(fields[1])
    if version != VERSION:
        raise MalformedDatagram(f"a dump of version {version}, this knows {VERSION}")
    _, _, cluster, made, count, packed, checksum = fields_untrusted(fields, 7)[:7]
    wall = natural_untrusted(made) / 1000
    as_of = natural_untrusted(fields[7]) if len(fields) > 7 else day_of(wall)
    encoded = [bytes_untrusted(one, None) for one in fields_untrusted(packed, 0)]
    if bytes_untrusted(checksum, _CHECKSUM_SIZE) != _checksum(encoded):
        raise MalformedDatagram("a dump that is damaged: its checksum is another")
    deltas = tuple(decode_delta_untrusted(one) for one in encoded)
    facts = sum(len(delta.facts) for delta in deltas)
    if facts != natural_untrusted(count):
        raise MalformedDatagram("a dump with another number of facts than it says")
    label = text_untrusted(cluster)
    return Dump(label, wall, min(as_of, DAY_LIMIT - 1), facts, deltas)


def _pieces(state: Cut) -> Iterator[Delta]:
    """A state as deltas that each stand alone: none covers what another one brings."""
    facts: dict[Dot, Fact] = {}
    gone: list[tuple[Actor, Runs]] = []
    for actor in _in_order([actor for actor, _ in state.context.items()]):
        live = state.live(actor)
        counters = list(_in_order(live))
        for counter in counters:
            facts[Dot(actor, counter)] = live[counter]
            if len(facts) == _TOGETHER:
                yield Delta(facts, CausalContext(facts))
                facts = {}
        left = without(state.context.runs(actor), counters)
        if left:
            gone.append((actor, left))
    if facts:
        yield Delta(facts, CausalContext(facts))
    while gone:
        some, gone = gone[:_TOGETHER], gone[_TOGETHER:]
        context = CausalContext()
        for actor, runs in some:
            context.add_runs(actor, runs)
        yield Delta({}, context)


def _in_order(values: Collection[ValueT]) -> Iterable[ValueT]:
    """Sorted, but many not at one go: no other thread could run meanwhile."""
    if len(values) <= _SORTED_AT_ONCE:
        return sorted(values)
    left = iter(values)
    parts = iter(lambda: list(islice(left, _SORTED_AT_ONCE)), [])
    return merge(*map(sorted, parts))


def _checksum(deltas: Iterable[bytes]) -> bytes:
    state = blake2b(digest_size=_CHECKSUM_SIZE)
    for delta in deltas:
        state.update(delta)
    return state.digest()
