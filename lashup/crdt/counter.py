"""The counter: a sum that everybody may add to, where no addition is lost or doubled.

    fact    [amount, level] at the counter's place; level 0 is one addition
    read    the sum of the live amounts
    add     add a fact; sixteen facts of one's own of a level become one of the next
    remove  drop the facts seen: the counter is gone, and starts at 0 when added to

Theory of operation
-------------------
The usual counter keeps one tally for each actor and replaces it at every addition.
Then a removal that meets a concurrent addition loses to a tally with everything in it
that was just removed. Here an addition is a fact of its own: a removal drops what it
has seen, and an addition that it has not seen survives, alone.

So that facts do not pile up, an actor folds its own: as in a number to the base of
16, sixteen facts of one level become one of the next. An actor so has at most
15 facts of each level, 75 for a million additions. Nobody folds another's, so nothing
is counted twice.

Folding has a price, and this is all of it. An addition that folds is one of sixteen,
and replaces fifteen earlier ones; one of 256 replaces 255, and so on. If a removal
meets just that addition, with neither writer having seen the other's, then what was
folded is back together with the addition. That is about one past addition by that
actor for each level, taken over all places where a removal can fall, where a plain
tally would bring back all of them, always.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.dot import Dot
from lashup.crdt.fact import Path
from lashup.crdt.writer import Remove, Writer
from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.readers import (
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

#: Facts of one actor and level that become one of the next.
FOLDED = 16
#: 16 levels hold more additions than an actor has dots.
_LEVELS = 16
_GREATEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class CounterField:
    """A counter's place in a key."""

    path: Path

    def increment(self, amount: int = 1) -> AddAmount:
        """The operation that adds an amount, which may be negative."""
        return AddAmount(self.path, amount)

    def decrement(self, amount: int = 1) -> AddAmount:
        """The operation that takes an amount away."""
        return AddAmount(self.path, -amount)

    def remove(self) -> Remove:
        """The operation that removes the additions seen, and no others."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class AddAmount:
    """Add to a counter."""

    path: Path
    amount: int

    def apply(self, writer: Writer) -> None:
        """Add one fact, and fold the writer's own where there are enough.

        Raises:
            UsageError: The amount is no integer of 64 bits.
        """
        if type(self.amount) is not int or abs(self.amount) > _GREATEST:
            raise UsageError(f"counter: {self.amount!r} is no 64-bit integer")
        amount = self.amount
        for level in range(_LEVELS):
            own = _own(writer, self.path, level)
            total = amount + sum(own.values())
            if len(own) < FOLDED - 1 or abs(total) > _GREATEST:
                writer.put(self.path, pack([amount, level]))
                return
            writer.drop_dots(self.path, own)
            amount = total
        writer.put(self.path, pack([amount, _LEVELS]))


def _own(writer: Writer, path: Path, level: int) -> dict[Dot, int]:
    """The writer's own facts of a level: dot and amount."""
    branch = writer.branch.at(path)
    found: dict[Dot, int] = {}
    for dot, payload in () if branch is None else branch.facts:
        entry = _amount(payload) if dot.actor == writer.actor else None
        if entry is not None and entry[1] == level:
            found[dot] = entry[0]
    return found


def total(branch: Branch | None) -> int | None:
    """The sum of a counter, None when nothing was added since it was removed."""
    if branch is None:
        return None
    entries = (_amount(payload) for _, payload in branch.facts)
    amounts = [entry[0] for entry in entries if entry is not None]
    return sum(amounts) if amounts else None


def _amount(payload: bytes) -> tuple[int, int] | None:
    try:
        return read_amount_untrusted(payload)
    except MalformedDatagram:
        return None  # A later version's, or a hostile one: not ours to read.


def read_amount_untrusted(payload: bytes) -> tuple[int, int]:
    """The amount and level in a counter's fact.

    Raises:
        MalformedDatagram: It is none.
    """
    amount, level = fields_untrusted(unpack_untrusted(payload), 2)[:2]
    if type(amount) is not int or abs(amount) > _GREATEST:
        raise MalformedDatagram("a counter's amount is a 64-bit integer")
    return amount, natural_untrusted(level, below=_LEVELS + 1)
