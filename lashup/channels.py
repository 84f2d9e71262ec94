"""Whose message a frame carries, and which topics of multicast are not the user's."""

from __future__ import annotations

from enum import IntEnum

#: Topics that start so are ours.
RESERVED_TOPICS = "lashup/"
#: The table's topic has no name: it is on every delta, and a name costs bytes.
TABLE_TOPIC = ""


class Channel(IntEnum):
    """Part of the wire format; a later version's numbers are passed over."""

    MEMBERSHIP = 1
    KV = 2
    MULTICAST = 3
    #: A part of a message that is too long for a datagram; the whole has its own.
    FRAGMENT = 4
    KEYS = 5
    #: Padding that is acknowledged.
    PATH = 6
