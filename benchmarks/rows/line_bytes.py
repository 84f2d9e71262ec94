"""How large the datagram is that tells everybody of one changed overlay line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.overlay_table import Agent, filled
from benchmarks.row import Case, Effort, Row
from lashup.channels import TABLE_TOPIC, Channel
from lashup.kv.delta_codec import encode_delta
from lashup.machine import Address, NodeId
from lashup.multicast import Multicast, MulticastConfig
from lashup.outbox import Outbox
from lashup.wire.envelope import Seal
from lashup.wire.keyring import Keyring

_GOAL = 300
#: The agent whose line changes, the same in every table: its addresses are long ones.
_AGENT = 9_999


@dataclass(frozen=True, slots=True)
class _Everybody:
    """The members as multicast sees them."""

    order: Sequence[NodeId]

    def address_of(self, node: NodeId) -> Address:
        return "10.0.0.1", 7946


def measure(effort: Effort) -> list[Case]:
    """The datagram as it goes out, in tables of several sizes."""
    sizes = (10, 1_000) if effort is Effort.QUICK else (10, 1_000, 10_000)
    found = {agents: _bytes(agents) for agents in sizes}
    is_same = len(set(found.values())) == 1
    return [
        Case(f"{agents:,} lines", value, value <= _GOAL and is_same)
        for agents, value in found.items()
    ]


def _bytes(agents: int) -> int:
    agent = Agent(_AGENT, store=filled(agents))
    agent.write()
    payload = encode_delta(agent.write())
    order = sorted(NodeId(os.urandom(16)) for _ in range(agents))
    seal = Seal(Keyring([os.urandom(32)]), label="benchmark", boot_id=os.urandom(16))
    outbox = Outbox(seal, size=1_400)
    view = _Everybody(order)
    multicast = Multicast(order[0], epoch=1_700_000_000, config=MulticastConfig())
    send = multicast.send(TABLE_TOPIC, payload, view=view, now=0.0)[0]
    outbox.put(send.to, Channel.MULTICAST, send.payload)
    return sum(len(datagram.data) for datagram in outbox.seal_all())


ROW = Row(
    name="line-bytes",
    what="one changed overlay line on its way, sealed, per copy",
    unit="bytes",
    goal=f"≤ {_GOAL}, the same at any number of lines",
    peer="the original at 1,000 lines: 199,000 compressed, 12,700,000 raw",
    measure=measure,
)
