"""A node that many newcomers ask at once sends them on to others.

Theory of operation
-------------------
A newcomer walks the table of the member that answered it first, which is its seed's.
That is a question and an answer for every dozen or so of the members, a hundred for a
thousand of them. Hundreds of newcomers with one seed would keep it from its own
probes. So each node answers so many questions a second, and for more it names some
members that have been there for a while: they have the same table, and time.

Where nobody has been there for long, as when a whole cluster starts, nobody else has
anything to tell either: then everybody is answered.
"""

from __future__ import annotations

from random import Random

from lashup.machine import NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig

#: "Ask these three."
NAMED = 3
#: Members that are looked at for those three.
_SAMPLE = 12
#: Seconds of questions that may come at once.
_BURST = 0.2


class Admission:
    """Counts the questions of walks that one node answers.

    Args:
        beliefs: Read for who is there, and since when.
        config: `walk_answers` and `settled_after`.
        rng: Chooses whom to name.
    """

    def __init__(
        self, beliefs: Beliefs, config: MembershipConfig, *, rng: Random
    ) -> None:
        #: Questions that were sent on to others.
        self.redirects = 0
        self._beliefs = beliefs
        self._config = config
        self._rng = rng
        self._spacing = 1.0 / config.walk_answers
        #: When all the questions that were answered would have been due.
        self._due_at = 0.0

    def elsewhere(self, asker: NodeId, *, now: float) -> tuple[NodeId, ...]:
        """Whom the asker of one more question should ask instead.

        Nobody, if there is time for the question, or nobody else to name.
        """
        # At least one, however seldom.
        self._due_at = max(self._due_at, now - max(_BURST, self._spacing))
        if self._due_at + self._spacing <= now:
            self._due_at += self._spacing
            return ()
        settled = now - self._config.settled_after
        peers = self._beliefs.members.sample(
            _SAMPLE, without=frozenset((asker,)), rng=self._rng
        )
        named = tuple(peer.id for peer in peers if peer.since <= settled)[:NAMED]
        self.redirects += bool(named)
        return named
