"""Which event, if any, a change of belief about another member is."""

from __future__ import annotations

from lashup.membership.events import (
    Changed,
    Failed,
    Joined,
    Left,
    MemberEvent,
    Returned,
    Suspected,
)
from lashup.membership.member import Liveness, Member


def events_of(member: Member, *, known: Member | None) -> list[MemberEvent]:
    """What an application should hear when `member` replaces `known`.

    Args:
        member: As it is seen now.
        known: As it was seen before; None if it was not known.
    """
    match member.liveness:
        case Liveness.DOWN:
            return [Failed(member)] if known and known.liveness.is_live else []
        case Liveness.LEFT:
            return [Left(member)] if known else []
        case Liveness.ALIVE | Liveness.SUSPECT:
            return _of_a_live_one(member, known)


def _of_a_live_one(member: Member, known: Member | None) -> list[MemberEvent]:
    events: list[MemberEvent] = []
    if known is None:
        events.append(Joined(member))
    elif not known.liveness.is_live:
        events.append(Returned(member))
    elif known.liveness > member.liveness or _says_else(known, member):
        events.append(Changed(member))
    was_suspect = known is not None and known.liveness is Liveness.SUSPECT
    if member.liveness is Liveness.SUSPECT and not was_suspect:
        events.append(Suspected(member))
    return events


def _says_else(known: Member, member: Member) -> bool:
    """Whether the record differs in more than its incarnation."""
    old, new = known.record, member.record
    return (old.epoch, old.name, old.addresses, old.tags, old.versions) != (
        new.epoch,
        new.name,
        new.addresses,
        new.tags,
        new.versions,
    )
