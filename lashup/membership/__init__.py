"""Who is in the cluster: SWIM with Lifeguard, over datagrams. Knows nothing of data."""

from lashup.membership.config import (
    LAN,
    LOCAL,
    WAN,
    Confirmation,
    MembershipConfig,
)
from lashup.membership.events import (
    Changed,
    Conflict,
    Effect,
    Failed,
    Joined,
    Left,
    LinkBroken,
    LinkFault,
    LinkMended,
    MemberEvent,
    Reaped,
    Remember,
    Returned,
    RiderHeard,
    Suspected,
)
from lashup.membership.member import Liveness, Member
from lashup.membership.reachability import Reach, Reachability
from lashup.membership.record import NodeRecord, record_untrusted
from lashup.membership.swim import Swim

__all__ = (
    "LAN",
    "LOCAL",
    "WAN",
    "Changed",
    "Confirmation",
    "Conflict",
    "Effect",
    "Failed",
    "Joined",
    "Left",
    "LinkBroken",
    "LinkFault",
    "LinkMended",
    "Liveness",
    "Member",
    "MemberEvent",
    "MembershipConfig",
    "NodeRecord",
    "Reach",
    "Reachability",
    "Reaped",
    "Remember",
    "Returned",
    "RiderHeard",
    "Suspected",
    "Swim",
    "record_untrusted",
)
