"""What the membership machine returns beside `Send`: news for the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lashup.machine import Address, NodeId, Send
from lashup.membership.member import Member
from lashup.membership.record import NodeRecord


@dataclass(frozen=True, slots=True)
class Joined:
    """A node that was not known is a member."""

    member: Member


@dataclass(frozen=True, slots=True)
class Changed:
    """A live member has a new record (address, tags, a new start), or is cleared.

    Cleared means: it was a suspect and has refuted. For this very node: its record
    has a new epoch or new tags.
    """

    member: Member


@dataclass(frozen=True, slots=True)
class Suspected:
    """A member did not answer somebody. It has time to refute."""

    member: Member


@dataclass(frozen=True, slots=True)
class Failed:
    """A suspect did not refute in time."""

    member: Member


@dataclass(frozen=True, slots=True)
class Returned:
    """A member that was down or had left is a member again."""

    member: Member


@dataclass(frozen=True, slots=True)
class Left:
    """A member said goodbye, or was replaced by a new identity of the same name."""

    member: Member


@dataclass(frozen=True, slots=True)
class Reaped:
    """A member that was down or had left is forgotten; its life will not return."""

    member: Member


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two live nodes have one name. The one with the newer epoch keeps it.

    Of several that lose it each is told once, with the one that keeps it. Where both
    are this very node, its data directory was copied, and two run from it.

    Attributes:
        member: The one that loses the name.
        keeper: The one that keeps it.
    """

    member: Member
    keeper: Member


@dataclass(frozen=True, slots=True)
class LinkFault:
    """One member does not hear another, which lives.

    Attributes:
        observer: Who does not hear.
        member: Whom.
    """

    observer: NodeId
    member: NodeId


@dataclass(frozen=True, slots=True)
class LinkBroken:
    """A live member does not hear another any more, though others do."""

    fault: LinkFault


@dataclass(frozen=True, slots=True)
class LinkMended:
    """It hears it again, or one of them is gone, or nobody says so any more."""

    fault: LinkFault


MemberEvent: TypeAlias = (
    Joined
    | Changed
    | Suspected
    | Failed
    | Returned
    | Left
    | Reaped
    | Conflict
    | LinkBroken
    | LinkMended
)


@dataclass(frozen=True, slots=True)
class RiderHeard:
    """A live member's packet carried the rider that its node had set.

    Attributes:
        node: The member.
        address: Where the packet came from.
        rider: As set there. Never empty.
    """

    node: NodeId
    address: Address
    rider: bytes


@dataclass(frozen=True, slots=True)
class Remember:
    """The set of members worth finding again after a restart is now this.

    All that have not left, down ones included, and those of `remembered` that were not
    met yet. To be handed to the next start as `remembered`.
    """

    records: tuple[NodeRecord, ...]


Effect: TypeAlias = Send | MemberEvent | RiderHeard | Remember
