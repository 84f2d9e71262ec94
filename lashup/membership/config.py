"""Timing and limits of membership: one value, and three presets of it.

All durations are in seconds. `lan` is the default: hosts of one site, round trips
of some milliseconds. `wan` waits for round trips of hundreds of milliseconds.
`local` is for processes of one host, tests among them.

Source: the suspicion ladder and the `lan` and `wan` numbers are memberlist's;
everything that adapts (timeouts, local health) is Lifeguard's, arXiv:1707.00788.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from lashup.errors import ConfigError
from lashup.kinds import check_kinds

_DAY = 86_400.0
#: What a sealed datagram of 1,200 bytes carries. The greatest self-record is 890 bytes,
#: a rider 128, the header some 70.
LEAST_PAYLOAD = 1149


class Confirmation(enum.Enum):
    """What it takes until a member that does not answer is down."""

    #: Witnesses ask as well, at once; enough of them that asked in vain decide.
    #: Where they cannot, the ladder does.
    ACTIVE = "active"
    #: Time alone, less of it the more members have come to doubt: memberlist's way.
    LADDER = "ladder"


@dataclass(frozen=True, slots=True)
class MembershipConfig:
    """What an operator may tune. Every member should have the same.

    Attributes:
        probe_period: Between two probes of one node. The greater, the fewer
            packets, and the later a crash is noticed.
        probe_timeout: Before the first round trip to a member was measured: when
            the helpers are asked, after half a period at the latest. Afterwards the
            measured round trip decides.
        probe_timeout_floor: No measured timeout goes below: schedulers and garbage
            collectors take their time even where the network is fast. What it costs
            to be too early is some packets.
        indirect_probes: Helpers that are asked to ping as well, at least.
        confirmation: Whether witnesses may shorten a suspicion.
        stall_allowance: A process that stops for so long is never taken for down by
            witnesses. Each of them asks for longer.
        witnesses: Helpers that are asked, at most: where the network loses much,
            more are needed.
        refusal_wait: When a host says that the port is closed, a witness asks once
            more, and waits so long, before it says so.
        tardiness: A member that is to ping us now, by the common schedule, and is
            later than this, is pinged itself.
        tripwires: Idle TCP connections that a node keeps to others, so that the
            kernel tells it when their process is gone; 0: none.
        nack_share: A helper that has heard nothing after this share of the
            asker's patience says so, which tells the asker that it is not deaf.
        health_limit: Greatest local health score; period and timeouts are
            stretched by score + 1.
        stall: A tick that is later than this share of the period is our own
            fault: nobody is accused for it.
        suspicion_multiplier: A suspect has at least so many periods, times
            log10(n), to refute; two less is the number of confirmations wanted.
        suspicion_max_multiplier: The greatest timeout, in least ones: when nobody
            confirms.
        gossip_period: Between two rounds of gossip while there is something to say.
        gossip_spacing: News is gossiped at once, but not more often than this.
        gossip_burst: Rounds of gossip at that spacing for news that comes bit by bit;
            what comes after them waits for company.
        gossip_refill: One more such round is allowed after each of these.
        gossip_nodes: Members that one round of gossip goes to.
        retransmissions: An update is sent ceil(log10(n + 1)) times this.
        join_period: Between two attempts to reach the seeds while alone; each is
            shortened by up to a half at random.
        join_seeds: Seeds that one attempt asks, at most.
        walk_answers: Questions about its member table that a node answers a second;
            who asks more is sent on to others. Each costs some 0.2 ms.
        settled_after: Others are sent on to members that are there for so long.
        leave_timeout: A leaver waits so long for acknowledgements.
        leave_acknowledgements: So many members must have heard that we leave.
        heal_period: No node tries members that are down more often than this.
        heal_rate: All nodes of one side together try so many a second.
        reap_down_after: A member that is down is forgotten after this time.
        reap_left_after: A member that has left is forgotten after this time.
        members_limit: Members that are known at a time, at most, whatever their
            state: who holds a key can invent any number. Newcomers beyond it take
            the place of those that are down, or are refused.
        reaped_limit: Lives of which we remember that they are over, at most.
        reconcile_delay: While news is on its way, tables differ for a moment. So
            long after news, a difference is left to gossip.
        reconcile_retry: A question of reconciliation is repeated after this time.
        reconcile_rest: Greatest pause after walks that changed nothing.
        remember_period: Between two effects `Remember`, at least.
        max_payload: Greatest payload in bytes, before sealing.
        hash_key: Keys the hash of the member table, at most 64 bytes. The same on
            all members; a cluster secret keeps strangers from forging equality.
    """

    probe_period: float = 1.0
    probe_timeout: float = 0.5
    probe_timeout_floor: float = 0.05
    indirect_probes: int = 3
    confirmation: Confirmation = Confirmation.ACTIVE
    stall_allowance: float = 0.52
    witnesses: int = 16
    refusal_wait: float = 0.02
    tardiness: float = 0.04
    tripwires: int = 3
    nack_share: float = 0.8
    health_limit: int = 8
    stall: float = 0.25
    suspicion_multiplier: int = 4
    suspicion_max_multiplier: int = 6
    gossip_period: float = 0.2
    gossip_spacing: float = 0.02
    gossip_burst: int = 4
    gossip_refill: float = 0.1
    gossip_nodes: int = 3
    retransmissions: int = 4
    join_period: float = 0.9
    join_seeds: int = 5
    walk_answers: float = 500.0
    settled_after: float = 10.0
    leave_timeout: float = 2.0
    leave_acknowledgements: int = 3
    heal_period: float = 0.5
    heal_rate: float = 4.0
    reap_down_after: float = _DAY
    reap_left_after: float = _DAY
    members_limit: int = 16_384
    reaped_limit: int = 8192
    reconcile_delay: float = 0.3
    reconcile_retry: float = 0.3
    reconcile_rest: float = 30.0
    remember_period: float = 5.0
    max_payload: int = 1280
    hash_key: bytes = b"lashup"

    def __post_init__(self) -> None:
        check_kinds(self)
        for each in fields(self):
            value = getattr(self, each.name)
            least_is_0 = each.name == "tripwires" and value == 0
            if isinstance(value, (int, float)) and not value > 0 and not least_is_0:
                raise ConfigError(each.name, f"{value} must be greater than 0")
        if self.probe_timeout_floor > self.probe_period / 2:
            raise ConfigError(
                "probe_timeout_floor", "must not be above half of probe_period"
            )
        if self.probe_timeout >= self.probe_period:
            raise ConfigError("probe_timeout", "must be below probe_period")
        if self.stall_allowance > 0.75 * self.probe_period:
            raise ConfigError(
                "stall_allowance", "must not be above three quarters of probe_period"
            )
        if not self.nack_share < 1:
            raise ConfigError("nack_share", "must be below 1")
        if self.max_payload < LEAST_PAYLOAD:
            raise ConfigError("max_payload", f"must be {LEAST_PAYLOAD} bytes or more")
        if len(self.hash_key) > 64:
            raise ConfigError("hash_key", "must be at most 64 bytes")


#: Hosts of one site.
LAN = MembershipConfig()

#: Sites far apart: round trips up to a second, and losses that come in bursts.
WAN = MembershipConfig(
    probe_period=5.0,
    probe_timeout=3.0,
    probe_timeout_floor=0.5,
    stall_allowance=2.0,
    refusal_wait=0.5,
    tardiness=0.5,
    tripwires=0,
    suspicion_multiplier=6,
    gossip_period=0.5,
    gossip_refill=0.25,
    gossip_nodes=4,
    leave_timeout=5.0,
    reconcile_delay=1.0,
    reconcile_retry=1.5,
)

#: Processes of one host: nothing is lost but what a full buffer drops.
LOCAL = MembershipConfig(
    probe_timeout=0.2,
    suspicion_multiplier=3,
    gossip_period=0.1,
    gossip_spacing=0.01,
    gossip_refill=0.05,
    join_period=0.3,
    leave_timeout=1.0,
    reconcile_delay=0.15,
    reconcile_retry=0.1,
)
