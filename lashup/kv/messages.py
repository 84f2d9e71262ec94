"""What replicas say to each other to become equal.

    [1, ask]                                    one question of a walk (`reconcile`)
    [2, answer]                                 its answer
    [3, request, [[actor, seen, stretches]]]    tell me of these stretches; what I
                                                have seen in them
    [4, request, index, count, delta, dealt,    one part of the answer; `dealt` is
     idle]                                      [[actor, stretches]]: said in full;
                                                `idle` [[actor, day]]: since when it
                                                has no facts (`retirement`)
    [5, number, [[actor, seen, gone]]]          have you joined what says this?
    [6, number]                                 yes, we have

Fields that a later version appends are skipped; so are kinds it adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lashup.crdt.causal_context import Runs
from lashup.crdt.dot import Actor
from lashup.crdt.facts import Delta
from lashup.errors import MalformedDatagram
from lashup.kv.confirmation import Have, HaveYou, Said
from lashup.kv.delta_codec import (
    actor_untrusted,
    decode_delta_untrusted,
    encode_delta,
    flat_runs,
    runs_untrusted,
)
from lashup.kv.rider import DAY_LIMIT
from lashup.kv.serving import BURST, Stretches, Want
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

_ASK, _ANSWER, _WANT, _PART, _HAVE_YOU, _HAVE = 1, 2, 3, 4, 5, 6

#: Actors in one request: their runs must fit a datagram in all but odd cases.
MOST_WANTS = 32


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of a walk."""

    ask: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question of a walk."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What the sender lacks."""

    number: int
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts of the answer to a request.

    Attributes:
        idle: The day since which actors of it have no facts, where they have none.
    """

    number: int
    index: int
    count: int
    delta: Delta
    dealt: Stretches
    idle: Mapping[Actor, int] = field(default_factory=dict)


Message: TypeAlias = Ask | Answer | Request | Part | HaveYou | Have

#: The kinds as they are counted, in the order of their numbers; 0 is a later version's.
KIND_NAMES = ("unknown_kind", "ask", "answer", "request", "part", "have_you", "have")


def kind_of(message: bytes) -> str:
    """What a message is counted as, without a look at what is in it."""
    # A list of a few fields has a header of one byte, and a small number is one.
    kind = message[1] if len(message) > 1 else 0
    return KIND_NAMES[kind if kind < len(KIND_NAMES) else 0]


def encode(message: Message) -> bytes:
    """A message as bytes."""
    match message:
        case Ask(ask):
            return pack([_ASK, ask])
        case Answer(answer):
            return pack([_ANSWER, answer])
        case Request(number, wants):
            packed = [
                (w.actor, flat_runs(w.seen), flat_runs(w.stretches)) for w in wants
            ]
            return pack([_WANT, number, packed])
        case Part(number, index, count, delta, dealt, idle):
            packed_dealt = [(actor, flat_runs(runs)) for actor, runs in dealt]
            body = encode_delta(delta)
            days = list(idle.items())
            return pack([_PART, number, index, count, body, packed_dealt, days])
        case HaveYou(number, said):
            packed_said = [
                (s.actor, flat_runs(s.seen), flat_runs(s.gone)) for s in said
            ]
            return pack([_HAVE_YOU, number, packed_said])
        case Have(number):
            return pack([_HAVE, number])


def decode_untrusted(data: bytes) -> Message | None:
    """The message in some bytes; None for a kind that a later version added.

    Raises:
        MalformedDatagram: There is none.
    """
    fields = fields_untrusted(unpack_untrusted(data), 2)
    match natural_untrusted(fields[0], below=256):
        case 1:
            return Ask(bytes_untrusted(fields[1], None))
        case 2:
            return Answer(bytes_untrusted(fields[1], None))
        case 3:
            return _request_untrusted(fields)
        case 4:
            return _part_untrusted(fields)
        case 5:
            return _have_you_untrusted(fields)
        case 6:
            return Have(natural_untrusted(fields[1]))
        case _:
            return None


def _request_untrusted(fields: list[object]) -> Request:
    _, number, packed = fields_untrusted(fields, 3)[:3]
    wants = fields_untrusted(packed, 1)
    if len(wants) > MOST_WANTS:
        raise MalformedDatagram(f"{len(wants)} wants, at most {MOST_WANTS}")
    return Request(natural_untrusted(number), tuple(map(_want_untrusted, wants)))


def _want_untrusted(value: object) -> Want:
    actor, seen, stretches = fields_untrusted(value, 3)[:3]
    return Want(actor_untrusted(actor), runs_untrusted(seen), runs_untrusted(stretches))


def _part_untrusted(fields: list[object]) -> Part:
    _, number, index, count, delta, dealt, *later = fields_untrusted(fields, 6)
    parts = natural_untrusted(count, below=BURST + 1)
    return Part(
        natural_untrusted(number),
        natural_untrusted(index, below=parts),
        parts,
        decode_delta_untrusted(bytes_untrusted(delta, None)),
        tuple(_dealt_untrusted(entry) for entry in fields_untrusted(dealt, 0)),
        _idle_untrusted(later[0]) if later else {},
    )


def _idle_untrusted(value: object) -> dict[Actor, int]:
    entries = [fields_untrusted(entry, 2)[:2] for entry in fields_untrusted(value, 0)]
    return {
        actor_untrusted(actor): natural_untrusted(day, below=DAY_LIMIT)
        for actor, day in entries
    }


def _have_you_untrusted(fields: list[object]) -> HaveYou:
    _, number, packed = fields_untrusted(fields, 3)[:3]
    entries = [fields_untrusted(entry, 3)[:3] for entry in fields_untrusted(packed, 0)]
    said = tuple(
        Said(actor_untrusted(actor), runs_untrusted(seen), runs_untrusted(gone))
        for actor, seen, gone in entries
    )
    return HaveYou(natural_untrusted(number), said)


def _dealt_untrusted(value: object) -> tuple[Actor, Runs]:
    actor, stretches = fields_untrusted(value, 2)[:2]
    return actor_untrusted(actor), runs_untrusted(stretches)
