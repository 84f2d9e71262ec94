"""What a node is told before it starts. Checked whole when it is made."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from lashup.crdt.hybrid_clock import DEFAULT_MAX_SKEW
from lashup.errors import ConfigError, MalformedDatagram
from lashup.identity import Identity
from lashup.kinds import check_integer, check_is, check_list, check_number
from lashup.kv.limits import Limits
from lashup.kv.retirement import DEFAULT_AFTER
from lashup.machine import Address
from lashup.membership.config import LAN, MembershipConfig
from lashup.membership.record import (
    ADDRESSES_LIMIT,
    NAME_LIMIT,
    NodeRecord,
    check_tags,
)
from lashup.multicast import MulticastConfig
from lashup.paths import Paths
from lashup.wire.readers import address_untrusted

#: Bytes of a datagram that every usual path carries: 1,500 less a tunnel or two.
DEFAULT_MAX_DATAGRAM = 1_400
_LEAST_MAX_DATAGRAM = 1_200
_GREATEST_MAX_DATAGRAM = 9_000
_LONGEST_CLUSTER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node of one cluster.

    Attributes:
        name: What people call it; printable, unique in the cluster.
        bind: Where to listen, an address or one per family. Port 0 takes a free one.
        seeds: Some members to join by; any one that answers suffices. This node's
            own address among them is no error. None: it starts a cluster.
        cluster: Label of the cluster. Datagrams of another cluster do not open.
        keys: 32 secret bytes each, the same for all members. The first one seals,
            all open. None: only loopback addresses may be bound.
        data_dir: Where identity, epoch and the table are kept; made if need be.
            None: in memory, for tests and throw-away nodes.
        advertise: Where others reach this node, if not at the bound addresses:
            behind NAT, or bound to all addresses.
        tags: Free text that every member sees, 512 bytes packed.
        membership: Timing of failure detection; a preset of `lashup.membership`.
        multicast: Trees.
        limits: Bounds on what this node writes.
        max_clock_skew: Seconds that another node's clock may be ahead of ours.
        retire_after: Days after which the last trace of a removed value is forgotten;
            the same on all members; 90 if at all. Who was switched off for longer
            drops, when it comes back, what the others do not know, and a part that
            was split off for longer brings back what was removed meanwhile. 0: never.
            Decision 0013 says what it costs.
        max_datagram: Bytes of one datagram, UDP payload. Where a path carries
            less, that is found and told (`PathNarrow`), and what is longer is cut.

    Raises:
        ConfigError: Names the field and what to do. Nothing has been started.
    """

    name: str
    bind: Address | Sequence[Address] = ("127.0.0.1", 0)
    seeds: Sequence[Address] = ()
    cluster: str = "lashup"
    keys: Sequence[bytes] = ()
    data_dir: Path | None = None
    advertise: Sequence[Address] | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    membership: MembershipConfig = LAN
    multicast: MulticastConfig = field(default_factory=MulticastConfig)
    limits: Limits = field(default_factory=Limits)
    max_clock_skew: float = DEFAULT_MAX_SKEW
    retire_after: int = DEFAULT_AFTER
    max_datagram: int = DEFAULT_MAX_DATAGRAM

    def __post_init__(self) -> None:
        _check_text("name", self.name, longest=NAME_LIMIT)
        _check_text("cluster", self.cluster, longest=_LONGEST_CLUSTER)
        check_tags(self.tags)
        if self.data_dir is not None:
            object.__setattr__(self, "data_dir", _directory(self.data_dir))
        check_list("bind", self.bind, "('127.0.0.1', 7946)")
        check_list("seeds", self.seeds, "[('10.0.0.1', 7946)]")
        check_list("keys", self.keys, "[key], with a key of 32 bytes")
        if self.advertise is not None:
            check_list("advertise", self.advertise, "[('10.0.0.1', 7946)]")
        check_is("membership", self.membership, MembershipConfig)
        check_is("multicast", self.multicast, MulticastConfig)
        check_is("limits", self.limits, Limits)
        check_number("max_clock_skew", self.max_clock_skew)
        if self.max_clock_skew < 0:
            raise ConfigError("max_clock_skew", f"{self.max_clock_skew} is below 0")
        check_integer("max_datagram", self.max_datagram)
        check_integer("retire_after", self.retire_after)
        if not _LEAST_MAX_DATAGRAM <= self.max_datagram <= _GREATEST_MAX_DATAGRAM:
            raise ConfigError(
                "max_datagram",
                f"{self.max_datagram} is not between {_LEAST_MAX_DATAGRAM} and "
                f"{_GREATEST_MAX_DATAGRAM} bytes",
            )
        if not (self.retire_after == 0 or 7 <= self.retire_after <= 3_650):
            raise ConfigError(
                "retire_after",
                f"{self.retire_after!r} is neither 0, for never, nor 7 to 3,650 days",
            )
        if not self.bind_addresses:
            raise ConfigError("bind", "there is no address to listen at")
        families: set[int] = set()
        for index, address in enumerate(self.bind_addresses):
            host = _check_address(f"bind[{index}]", address, least_port=0)
            if host.version in families:
                raise ConfigError(
                    f"bind[{index}]",
                    f"{address[0]} is a second address of the same family; one each "
                    "can be bound",
                )
            families.add(host.version)
            if not self.keys and not host.is_loopback:
                raise ConfigError(
                    "keys",
                    f"there is none, and {address[0]} is no loopback address: anybody "
                    "who reaches it could join. Give a key of 32 random bytes, or "
                    "bind to 127.0.0.1",
                )
            if host.is_unspecified and self.advertise is None:
                raise ConfigError(
                    "advertise",
                    f"must say where others reach this node: bind is {address[0]}",
                )
        check_addresses("seeds", self.seeds)
        check_addresses("advertise", self.advertise or ())
        if len(self.advertise or ()) > ADDRESSES_LIMIT:
            raise ConfigError("advertise", f"more than {ADDRESSES_LIMIT} addresses")
        told = ("bind", self.bind_addresses)
        for name, addresses in (("advertise", self.advertise or ()), told):
            for index, (text, _) in enumerate(addresses):
                if _is_one_hosts(text) or (name == "bind" and self.advertise):
                    continue
                raise ConfigError(
                    f"{name}[{index}]", f"{text}: others cannot send there"
                )
        for index, key in enumerate(self.keys):
            if not isinstance(key, bytes) or len(key) != 32:
                raise ConfigError(f"keys[{index}]", "must be 32 bytes")
            if key in self.keys[:index]:
                raise ConfigError(f"keys[{index}]", "the same key as an earlier one")

    @property
    def bind_addresses(self) -> tuple[Address, ...]:
        """`bind` as a tuple of addresses."""
        match self.bind:
            case (str() as host, int() as port):
                return ((host, port),)
            case addresses:
                return tuple(addresses)

    def record_for(
        self, identity: Identity, addresses: tuple[Address, ...]
    ) -> NodeRecord:
        """What a start of this node says of itself."""
        tags = dict(self.tags)
        return NodeRecord(identity.id, self.name, identity.epoch, 0, addresses, tags)

    def paths_for(self, identity: Identity, overhead: int, *, now: float) -> Paths:
        """The tests of the paths from a start of this node."""
        return Paths(
            self.max_datagram,
            overhead=overhead,
            patience=self.membership.probe_period,
            epoch=identity.epoch,
            me=identity.id,
            now=now,
        )

    def membership_for(self, *, payload: int, hash_key: bytes) -> MembershipConfig:
        """The membership's part, with what only the node knows."""
        return replace(self.membership, max_payload=payload, hash_key=hash_key)


def _check_text(name: str, text: object, *, longest: int) -> None:
    try:
        size = len(text.encode()) if isinstance(text, str) else 0
    except UnicodeEncodeError:  # a lone surrogate: nobody could be told of it
        size = 0
    if not 0 < size <= longest:
        raise ConfigError(name, f"must be a string of 1 to {longest} bytes")
    if not str(text).isprintable():
        # It goes into logs and onto terminals, everybody's.
        raise ConfigError(name, f"{text!r} has a character that cannot be shown")


def _directory(given: object) -> Path:
    try:
        path = Path(given)  # type: ignore[arg-type]
    except TypeError:
        path = None
    # Path("") would be the directory that the process happens to be in.
    if path is None or given == "" or "\0" in str(path):
        raise ConfigError("data_dir", f"{given!r} must be the path of a directory")
    return path


def _is_one_hosts(text: str) -> bool:
    """Whether every host means the same one by it; peers refuse what is not so."""
    try:
        address_untrusted([text, 1])  # as they read it
    except MalformedDatagram:
        return False
    return True


def check_addresses(name: str, addresses: Sequence[object]) -> None:
    """Make sure that datagrams can be sent to some addresses.

    Raises:
        ConfigError: Names the first that is none, by its place in `name`.
    """
    for index, address in enumerate(addresses):
        _check_address(f"{name}[{index}]", address, least_port=1)


def _check_address(
    name: str, address: object, *, least_port: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    match address:
        case (str() as host, int() as port) if (
            type(port) is int and least_port <= port < 65_536
        ):
            try:
                return ipaddress.ip_address(host)
            except ValueError:
                raise ConfigError(
                    name, f"{host!r} is no IP address; look host names up before"
                ) from None
        case _:
            raise ConfigError(
                name, f"{address!r} is no (IP address, port) with a port to 65535"
            )
