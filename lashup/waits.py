"""Updates whose writer waits until others have them, too."""

from __future__ import annotations

from lashup.kv.confirmation import Confirmations, Wait, is_enough
from lashup.machine import NodeId
from lashup.view import View


class Waits:
    """Who waits for how many, and whether there are enough.

    Args:
        confirmations: Asks the others, and hears who has what.
        view: Who there is to be asked.
    """

    def __init__(self, confirmations: Confirmations, view: View) -> None:
        self._confirmations = confirmations
        self._view = view
        self._waits: dict[int, Wait] = {}

    def __contains__(self, update: object) -> bool:
        """Whether somebody waits for an update."""
        return update in self._waits

    def begin(self, update: int, wait: Wait) -> None:
        """Somebody waits for an update from now on."""
        self._waits[update] = wait

    def end(self, update: int) -> None:
        """Ask nobody about an update any more."""
        self._waits.pop(update, None)
        self._confirmations.end(update)

    def confirmed_by(self, update: int) -> frozenset[NodeId]:
        """The members alive that have a visible write, this one among them."""
        me = self._view.membership.me.id
        having = self._confirmations.having(update) | {me}
        return having.intersection((*self._view.order, me))

    def is_confirmed(self, update: int) -> bool:
        """Whether as many members as were asked for have a visible write."""
        wait = self._waits.get(update)
        if wait is None:
            return True
        having = len(self.confirmed_by(update))
        return is_enough(wait, having=having, alive=len(self._view.order))
