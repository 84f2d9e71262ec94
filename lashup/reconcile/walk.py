"""The asker's side: walks one peer's table to the keys that differ from ours."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass

from lashup.errors import MalformedDatagram
from lashup.machine import NEVER
from lashup.reconcile.ranges import ROOT, children_of, level_of
from lashup.reconcile.summary import (
    ANSWER_BYTES,
    HASH_BYTES,
    MASK,
    SUM_BYTES,
    Summary,
    keyed_hash,
    shortened,
)
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

#: Questions of one walk on their way at a time: bounds the burst of answers.
WINDOW = 16
#: A question is asked this often, while nothing else is answered either, before the
#: walk gives up on the peer: on one that has answered before, and on one that has not.
#: Where half of all is lost, three of four attempts fail, and one that is given up in
#: vain costs the whole walk.
ATTEMPTS_IF_KNOWN, ATTEMPTS = 16, 8
#: The pause before a question is repeated doubles so often.
_DOUBLINGS = 2

#: Ranges of one question, by level: so many that their sums, or the few records of a
#: leaf, fill a datagram.
_BATCHES = (1, 24, 16, 8)
#: The same where we have nothing ourselves, at least. All of it will be news, so each
#: range is given room to be listed at once.
_BATCHES_IF_EMPTY = (1, 2, 3, 8)


class Sought(enum.Enum):
    """Which of the keys that differ a walk looks for."""

    ALL = enum.auto()
    #: Those that the peer holds. For whoever only pulls, what it lacks is no news.
    THEIRS = enum.auto()


@dataclass(slots=True)
class _Question:
    """Some ranges that were asked for."""

    positions: tuple[int, ...]
    repeat_at: float
    attempts: int


class Walk:
    """The asker's side: walks one peer's table to the keys that differ from ours.

    Ends with `done` (every range that differed has been seen) or with `failed`
    (the peer stopped answering).

    Args:
        summary: Ours. It may change during the walk.
        number: Another one for each walk of this node: it makes the salt.
        now: The time.
        retry_after: Seconds after which a question is repeated, doubled twice.
        sought: Which keys to look for.
    """

    def __init__(
        self,
        summary: Summary,
        *,
        number: int,
        now: float,
        retry_after: float,
        sought: Sought = Sought.ALL,
    ) -> None:
        self.failed = False
        #: Until the first answer nobody knows whether the peer is there.
        self.answered = False
        #: Keys of ours that the peer has not listed, where all are sought.
        self.lacking: set[bytes] = set()
        root = summary.root.to_bytes(8, "big")
        self._salt = keyed_hash(b"salt", root, (number & MASK).to_bytes(8, "big")) | 1
        self._summary = summary
        self._retry_after = retry_after
        self._sought = sought
        #: Ranges to ask for, by how many of them go into one question.
        self._waiting: dict[int, list[int]] = {1: [ROOT]}
        self._asked: dict[int, _Question] = {}
        self._last = 0
        self._started_at = now

    @property
    def done(self) -> bool:
        """Whether every range that differed has been answered."""
        return not self.failed and not self._waiting and not self._asked

    def next_wakeup(self) -> float:
        """When `asks` has something to say."""
        if self.failed:
            return NEVER
        if self._waiting and len(self._asked) < WINDOW:
            return self._started_at
        return min((q.repeat_at for q in self._asked.values()), default=NEVER)

    def asks(self, *, now: float) -> list[bytes]:
        """The questions to send now: new ones, and those that were not answered."""
        asks: list[bytes] = []
        most = ATTEMPTS_IF_KNOWN if self.answered else ATTEMPTS
        for number, question in self._asked.items():
            if question.repeat_at > now:
                continue
            if question.attempts >= most:
                self.failed = True
                return []
            doublings = min(question.attempts, _DOUBLINGS)
            question.repeat_at = now + self._retry_after * 2**doublings
            question.attempts += 1
            asks.append(self._ask(number, question))
        while self._waiting and len(self._asked) < WINDOW:
            self._last += 1
            positions = self._next_positions()
            question = _Question(positions, now + self._retry_after, 1)
            self._asked[self._last] = question
            asks.append(self._ask(self._last, question))
        return asks

    def receive_untrusted(self, answer: bytes, *, now: float) -> list[bytes]:
        """Take in an answer; returns the keys it shows to differ.

        A key differs when its record hashes do, or when one side lacks it (where
        that is sought). An answer to no question of ours says nothing.

        Raises:
            MalformedDatagram: Not an answer. Nothing has changed.
        """
        number, flags, packed = fields_untrusted(unpack_untrusted(answer), 3)[:3]
        question = self._asked.get(natural_untrusted(number))
        listed = natural_untrusted(flags)
        bodies = [bytes_untrusted(body, None) for body in fields_untrusted(packed, 1)]
        if question is None:
            return []
        if len(bodies) != len(question.positions):
            raise MalformedDatagram("an answer speaks of every range of its question")
        answers = [
            (position, body, bool(listed >> index & 1))
            for index, (position, body) in enumerate(
                zip(question.positions, bodies, strict=True)
            )
        ]
        for position, body, is_list in answers:
            self._check(position, body, is_list=is_list)
        del self._asked[natural_untrusted(number)]
        self._hear_from_peer(now=now)
        found: list[bytes] = []
        for position, body, is_list in answers:
            if is_list:
                found += self._differing(position, body)
            else:
                self._descend(position, body)
        # Sorted, so that a run is the same in every process.
        return sorted(found)

    def _ask(self, number: int, question: _Question) -> bytes:
        return pack([number, self._salt, question.positions])

    def _next_positions(self) -> tuple[int, ...]:
        """The ranges of the next question."""
        batch, waiting = next(iter(self._waiting.items()))
        positions = waiting[:batch]
        del waiting[:batch]
        if not waiting:
            del self._waiting[batch]
        return tuple(positions)

    def _check(self, position: int, body: bytes, *, is_list: bool) -> None:
        if is_list:
            if len(body) % (self._summary.key_size + HASH_BYTES):
                raise MalformedDatagram("a list is made of whole records")
        elif len(body) != len(children_of(position)) * SUM_BYTES or not body:
            raise MalformedDatagram("a range has a sum for each child, a leaf has none")

    def _hear_from_peer(self, *, now: float) -> None:
        """The peer is there: what is missing was lost, and can be had soon."""
        self.answered = True
        for question in self._asked.values():
            question.attempts = 1
            question.repeat_at = min(question.repeat_at, now + self._retry_after)

    def _descend(self, position: int, body: bytes) -> None:
        """Go on to the children whose sums differ."""
        sums = self._summary.sums_of_children(position)
        level = level_of(position) + 1
        batch_if_empty = self._batch_if_empty(level, body)
        for index, child in enumerate(children_of(position)):
            theirs = body[index * SUM_BYTES : (index + 1) * SUM_BYTES]
            if theirs == shortened(sums[index], self._salt, SUM_BYTES):
                continue
            # A range without records has the sum 0.
            if self._sought is Sought.ALL or any(theirs):
                batch = _BATCHES[level] if sums[index] else batch_if_empty
                self._waiting.setdefault(batch, []).append(child)

    def _batch_if_empty(self, level: int, body: bytes) -> int:
        """How many ranges of which we have nothing are likely to be listed at once.

        The share of all ranges that hold anything tells how much each of these holds:
        records are spread over them evenly, by a hash.
        """
        held = [any(body[at : at + SUM_BYTES]) for at in range(0, len(body), SUM_BYTES)]
        share = sum(held) / len(held)
        if share in (0, 1):
            return _BATCHES_IF_EMPTY[level]
        records = -math.log1p(-share) / share
        likely = math.ceil(records + 2 * math.sqrt(records))
        fit = ANSWER_BYTES // (likely * (self._summary.key_size + HASH_BYTES))
        return max(_BATCHES_IF_EMPTY[level], min(_BATCHES[level], fit))

    def _differing(self, position: int, body: bytes) -> Iterator[bytes]:
        """The keys of a listed range that differ."""
        size = self._summary.key_size
        step = size + HASH_BYTES
        theirs = {
            body[at : at + size]: body[at + size : at + step]
            for at in range(0, len(body), step)
        }
        ours = {
            key: shortened(value, self._salt, HASH_BYTES)
            for key, value in self._summary.records_in(position).items()
        }
        if self._sought is Sought.ALL:
            self.lacking |= ours.keys() - theirs.keys()
        keys = ours.keys() | theirs.keys() if self._sought is Sought.ALL else theirs
        return (key for key in keys if ours.get(key) != theirs.get(key))
