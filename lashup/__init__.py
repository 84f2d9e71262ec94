"""Membership, replicated values and a gossiped store, over UDP, with no master.

    async with open_node(NodeConfig(name="a", seeds=[("10.0.0.1", 7946)])) as node:
        await node.kv.update(("services", "web"), register("port").assign(8080))

Layout, from the bottom. All but the runtime is pure: bytes, calls and the time go in,
effects come out.

- `errors`, `machine`: what everything shares
- `wire`: sealed datagrams; `reconcile`: two tables walked to where they differ
- `crdt`, `kv`: replicated values, and the table made of them
- `membership`, `multicast`: who is there, and telling all of them something
- `node`: the one composition
- `runtime`: sockets, disk and clock
"""

from lashup.config import NodeConfig
from lashup.crdt.field import Key, Name
from lashup.crdt.map import MapField, MapView
from lashup.crdt.token import Token
from lashup.crdt.writer import Remove
from lashup.errors import (
    ConcurrentUpdate,
    ConfigError,
    KeysDiffer,
    LashupError,
    LimitExceeded,
    NodeClosed,
    Overloaded,
    StorageError,
    StorageFull,
    Unconfirmed,
    UsageError,
)
from lashup.kv.confirmation import Wait
from lashup.kv.effects import ClockSkewed, Outdated, StoreLarge
from lashup.kv.limits import Limits
from lashup.kv.pattern import ANY
from lashup.kv.subscription import KeyChanged
from lashup.machine import Address, NodeId
from lashup.membership import (
    LAN,
    LOCAL,
    WAN,
    Changed,
    Conflict,
    Failed,
    Joined,
    Left,
    LinkBroken,
    LinkFault,
    LinkMended,
    Liveness,
    Member,
    MembershipConfig,
    Reach,
    Reachability,
    Reaped,
    Returned,
    Suspected,
)
from lashup.multicast import Branch, Delivered
from lashup.path_width import PathNarrow, PathWide
from lashup.rotation import MemberKeys
from lashup.runtime.agent import RunningNode
from lashup.runtime.broadcast import Missed
from lashup.runtime.cluster_keys import KeyReport
from lashup.runtime.directory_lock import idle_directory
from lashup.runtime.group_commit import DiskFull
from lashup.runtime.opening import open_node
from lashup.runtime.refused_sends import SendRefused
from lashup.runtime.seeding import SeedsUnread
from lashup.wire.keyring import key_id_of

_ROOT = MapField()

#: Fields of a key's own map, to make operations with.
register = _ROOT.register
multi_value_register = _ROOT.multi_value_register
add_wins_set = _ROOT.add_wins_set
enable_wins_flag = _ROOT.enable_wins_flag
disable_wins_flag = _ROOT.disable_wins_flag
counter = _ROOT.counter
map_field = _ROOT.map_field


def remove_key() -> Remove:
    """The operation that removes everything seen under a key."""
    return _ROOT.remove()


__all__ = (
    "ANY",
    "LAN",
    "LOCAL",
    "WAN",
    "Address",
    "Branch",
    "Changed",
    "ClockSkewed",
    "ConcurrentUpdate",
    "ConfigError",
    "Conflict",
    "Delivered",
    "DiskFull",
    "Failed",
    "Joined",
    "Key",
    "KeyChanged",
    "KeyReport",
    "KeysDiffer",
    "LashupError",
    "Left",
    "LimitExceeded",
    "Limits",
    "LinkBroken",
    "LinkFault",
    "LinkMended",
    "Liveness",
    "MapView",
    "Member",
    "MemberKeys",
    "MembershipConfig",
    "Missed",
    "Name",
    "NodeClosed",
    "NodeConfig",
    "NodeId",
    "Outdated",
    "Overloaded",
    "PathNarrow",
    "PathWide",
    "Reach",
    "Reachability",
    "Reaped",
    "Returned",
    "RunningNode",
    "SeedsUnread",
    "SendRefused",
    "StorageError",
    "StorageFull",
    "StoreLarge",
    "Suspected",
    "Token",
    "Unconfirmed",
    "UsageError",
    "Wait",
    "add_wins_set",
    "counter",
    "disable_wins_flag",
    "enable_wins_flag",
    "idle_directory",
    "key_id_of",
    "map_field",
    "multi_value_register",
    "open_node",
    "register",
    "remove_key",
)
