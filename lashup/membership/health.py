"""Whether this node should doubt itself before it doubts others.

Source: Dadgar et al., "Lifeguard", arXiv:1707.00788, section IV.A: the local health
multiplier.
"""

from __future__ import annotations

#: Helpers that Lifeguard asks: so much a probe counts at most, however many we ask.
_HELPERS = 3


class LocalHealth:
    """A score from 0 (well) up to a limit; period and timeouts grow with it.

    Args:
        limit: Greatest score; a node that was cut off recovers from it within as
            many good probes.
    """

    def __init__(self, *, limit: int) -> None:
        self.score = 0
        self._limit = limit

    @property
    def multiplier(self) -> int:
        """What period and timeouts are to be multiplied by."""
        return self.score + 1

    def probe_succeeded(self) -> None:
        """An ack came in time."""
        self._move(-1)

    def probe_failed(self, *, helpers: int, nacks: int) -> None:
        """No ack came. Helpers that said so at least were heard: then it is not us.

        Of many helpers half may be gone themselves, behind the same broken link as
        the target: whoever hears the other half is well.

        Args:
            helpers: Helpers that were asked and should be there.
            nacks: Of them, those that said they have no ack either.
        """
        silent = helpers - nacks
        if helpers == 0:
            self._move(1)
        elif helpers <= _HELPERS:
            self._move(silent)
        elif nacks < silent:
            self._move(_HELPERS * silent // helpers)

    def refuted(self) -> None:
        """Somebody missed our answers."""
        self._move(+1)

    def stalled(self, periods: float) -> None:
        """We were not running when we should have been, for so many probe periods."""
        self._move(1 + int(min(periods, self._limit)))

    def _move(self, by: int) -> None:
        self.score = max(0, min(self._limit, self.score + by))
