"""The dump format: a whole table in one piece of msgpack, for backups and for moving.

    ["lashup-dump", version, cluster, made, facts, [delta, delta, ...], checksum]

`made` is milliseconds since 1970, `facts` their number; each delta is as on the wire
(`delta_codec`) and stands alone; the checksum is BLAKE2b of 16 bytes over the
deltas, one after the other. Version 1 is this one. A later one that old readers can
still use appends fields.

A dump is a state, not a list of commands. Loading joins it: what is there already is
no change, what was removed since stays removed, and newer writes stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from lashup.crdt.causal_context import CausalContext, without
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.facts import Delta, Fact
from lashup.errors import MalformedDatagram
from lashup.kv.delta_codec import decode_delta_untrusted, encode_delta
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


@dataclass(frozen=True, slots=True)
class Dump:
    """What a dump holds.

    Attributes:
        cluster: The label of the cluster that it is of.
        made: Seconds since 1970.
        facts: How many.
        deltas: To be joined, in any order.
    """

    cluster: str
    made: float
    facts: int
    deltas: tuple[Delta, ...]


def encode_dump(state: Delta, *, cluster: str, wall: float) -> bytes:
    """A whole state as a dump.

    Args:
        state: All facts, and the context.
        cluster: The label.
        wall: Seconds since 1970, now.
    """
    deltas = [encode_delta(delta) for delta in _pieces(state)]
    made = int(wall * 1000)
    checksum = _checksum(deltas)
    return pack([FORMAT, VERSION, cluster, made, len(state.facts), deltas, checksum])


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
    encoded = [bytes_untrusted(one, None) for one in fields_untrusted(packed, 0)]
    if bytes_untrusted(checksum, _CHECKSUM_SIZE) != _checksum(encoded):
        raise MalformedDatagram("a dump that is damaged: its checksum is another")
    deltas = tuple(decode_delta_untrusted(one) for one in encoded)
    facts = sum(len(delta.facts) for delta in deltas)
    if facts != natural_untrusted(count):
        raise MalformedDatagram("a dump with another number of facts than it says")
    label = text_untrusted(cluster)
    return Dump(label, natural_untrusted(made) / 1000, facts, deltas)


def _pieces(state: Delta) -> Iterator[Delta]:
    """A state as deltas that each stand alone: none covers what another one brings."""
    facts = iter(sorted(state.facts.items(), key=_dot_of))
    while together := dict(islice(facts, _TOGETHER)):
        yield Delta(together, CausalContext(together))
    gone = iter(_gone(state))
    while some := list(islice(gone, _TOGETHER)):
        context = CausalContext()
        for actor, runs in some:
            context.add_runs(actor, runs)
        yield Delta({}, context)


def _gone(state: Delta) -> Iterator[tuple[Actor, tuple[tuple[int, int], ...]]]:
    live: dict[Actor, list[int]] = {}
    for actor, counter in sorted(state.facts):
        live.setdefault(actor, []).append(counter)
    for actor, runs in state.context.items():
        left = without(runs, live.get(actor, ()))
        if left:
            yield actor, left


def _dot_of(entry: tuple[Dot, Fact]) -> Dot:
    return entry[0]


def _checksum(deltas: Iterable[bytes]) -> bytes:
    state = blake2b(digest_size=_CHECKSUM_SIZE)
    for delta in deltas:
        state.update(delta)
    return state.digest()
