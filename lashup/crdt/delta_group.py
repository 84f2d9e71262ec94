"""Delta-groups: deltas of one writer joined into one, to travel together.

Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types",
arXiv:1603.01529, section 4.1.
"""

from __future__ import annotations

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta

#: Bytes that these take on the wire beside their own, at most: a delta, a fact (with
#: the run of a context that it may split), a step of a path, a run of a context (which
#: may be its actor's only one).
_PER_DELTA, _PER_FACT, _PER_STEP, _PER_RUN = 16, 40, 3, 36


class DeltaGroup:
    """Some deltas as one: joining it is joining them, in any order.

    What a later one has overwritten is not in it any more, only its dot.
    """

    def __init__(self) -> None:
        self._facts: dict[Dot, Fact] = {}
        self._context = CausalContext()
        #: Of the facts, on the wire. Kept, as each write asks for it.
        self._bytes = 0

    def __bool__(self) -> bool:
        return len(self._context) > 0

    def put(self, delta: Delta) -> None:
        """Join one more."""
        seen = self._context
        new = {d: f for d, f in delta.facts.items() if d not in seen}
        gone = [d for d in self._facts if d in delta.context and d not in delta.facts]
        for dot in gone:
            self._bytes -= _fact_size(self._facts.pop(dot))
        self._facts.update(new)
        self._bytes += sum(map(_fact_size, new.values()))
        self._context.update(delta.context)

    def delta(self) -> Delta:
        """What they amount to. The group must not be used after this."""
        return Delta(self._facts, self._context)

    @property
    def size(self) -> int:
        """Bytes that it takes on the wire, at most."""
        return self._bytes + _context_size(self._context)


def size_of(delta: Delta) -> int:
    """Bytes that a delta takes on the wire, at most."""
    return sum(map(_fact_size, delta.facts.values())) + _context_size(delta.context)


def _fact_size(fact: Fact) -> int:
    path = sum(map(len, fact.path)) + _PER_STEP * len(fact.path)
    return _PER_FACT + len(fact.key) + path + len(fact.payload)


def _context_size(context: CausalContext) -> int:
    return _PER_DELTA + _PER_RUN * sum(len(runs) for _, runs in context.items())
