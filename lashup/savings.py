"""Rows on their way to the disk, and which writes wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lashup.identity import epoch_row
from lashup.kv.effects import Save
from lashup.kv.rows import META_TABLE
from lashup.kv.write import Write
from lashup.machine import Persist
from lashup.membership import NodeRecord

MEMBER_TABLE = "member"
#: The row of the keyring in the table of what a node knows of itself.
KEYRING_ROW = b"keyring"

#: Seconds that rows may wait which nobody waits for. What a crash loses of them the
#: others bring again; and what many hosts of one disk, or one core, have heard at the
#: same moment is not saved by all of them at that moment.
_WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class Saving:
    """Rows on their way that somebody waits for.

    Attributes:
        write: What becomes visible once they are there; None for what is already.
        update: The number by which the caller knows it.
    """

    write: Write | None
    update: int


class Savings:
    """Makes `Persist` effects and remembers what each is for.

    Args:
        remembered: Ids of the members that are on disk already.
    """

    def __init__(self, *, remembered: Iterable[bytes]) -> None:
        # Ticket 0 is that of the identity, which is saved before the node starts.
        self._ticket = 0
        self._waiting: dict[int, Saving] = {}
        self._keyrings: dict[int, int] = {}
        self._remembered = set(remembered)

    def rows(self, save: Save) -> Persist:
        """Rows that nobody waits for: what others have written, for the most part."""
        self._ticket += 1
        return Persist(self._ticket, save.rows.puts, save.rows.deletes, within=_WITHIN)

    def now(self) -> Persist:
        """No rows: what waits for the disk is not to wait any longer."""
        self._ticket += 1
        return Persist(self._ticket)

    def write(self, save: Save, update: int) -> Persist:
        """Rows that an update waits for; `take` gives it back when they are on disk."""
        self._ticket += 1
        self._waiting[self._ticket] = Saving(save.write, update)
        return Persist(self._ticket, save.rows.puts, save.rows.deletes)

    def members(self, records: Iterable[NodeRecord]) -> Persist:
        """The members worth finding again after a restart are now these."""
        kept = {bytes(record.id): record.encoded for record in records}
        gone = sorted(self._remembered - kept.keys())
        self._remembered = set(kept)
        self._ticket += 1
        return Persist(
            self._ticket,
            tuple((MEMBER_TABLE, node, record) for node, record in kept.items()),
            tuple((MEMBER_TABLE, node) for node in gone),
            within=_WITHIN,
        )

    def epoch(self, epoch: int) -> Persist:
        """This node's own epoch is now this."""
        self._ticket += 1
        return Persist(self._ticket, (epoch_row(epoch),))

    def keyring(self, row: bytes, token: int) -> Persist:
        """The keyring is now this; `take_keyring` gives the token back."""
        self._ticket += 1
        self._keyrings[self._ticket] = token
        return Persist(self._ticket, ((META_TABLE, KEYRING_ROW, row),))

    def take_keyring(self, ticket: int) -> int | None:
        """The token of the keyring that a ticket has saved, None if it was none."""
        return self._keyrings.pop(ticket, None)

    def take(self, ticket: int) -> Saving | None:
        """The write that waited for a ticket, None when nobody did."""
        return self._waiting.pop(ticket, None)
