"""A real link that silently drops what is long: found, reported, and lived with."""

from __future__ import annotations

import ctypes
import os
import random
from dataclasses import replace

import anyio
import pytest

import lashup
from lashup.config import NodeConfig
from lashup.membership import LOCAL
from lashup.runtime.opening import open_node
from tests.kernel_namespace import CLONE_NEWNET, in_namespace, ip

#: What the far end of the link takes, IP header and all; the near end believes 1,500.
MTU = 1_300
HEADERS = 28
#: What the kernel lets through beyond the MTU, for a VLAN tag.
ALLOWANCE = 4
QUICK = replace(
    LOCAL,
    probe_period=0.2,
    probe_timeout=0.1,
    probe_timeout_floor=0.05,
    stall_allowance=0.1,
    tripwires=0,  # would be opened in whatever namespace the thread is in then
)


@pytest.mark.kernel
def test_a_link_that_drops_long_datagrams_is_reported_and_carries_long_values():
    told, arrived, states = in_namespace(lambda: anyio.run(_two_hosts))

    assert isinstance(told, lashup.PathNarrow)
    assert MTU - HEADERS - 16 <= told.width <= MTU - HEADERS + ALLOWANCE
    assert arrived == 10_000
    assert states == [lashup.Liveness.ALIVE] * 2


async def _two_hosts():
    """The first host's event, what the second has read, and what the first believes."""
    libc = ctypes.CDLL(None, use_errno=True)
    first = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0
    second = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = f"/proc/{os.getpid()}/fd/{first}"
        ip("link add far type veth peer name near")
        ip(f"link set near netns {there}")
        ip(f"link set far mtu {MTU} up")
        ip("address add 10.9.0.2/24 dev far")
        assert libc.setns(first, 0) == 0
        ip("link set near up")
        ip("address add 10.9.0.1/24 dev near")
        async with open_node(_config(1)) as near:
            assert libc.setns(second, 0) == 0
            async with open_node(_config(2)) as far, near.events() as events:
                await near.wait_until(lambda: len(near.live_members()) == 2)
                return await _use(near, far, events)
    finally:
        os.close(first)
        os.close(second)


async def _use(near, far, events):
    value = random.Random(1).randbytes(10_000)
    await near.kv.update(("k",), lashup.register("x").assign(value))
    with anyio.fail_after(20):
        async for event in events:
            if isinstance(event, lashup.PathNarrow):
                break
        await far.wait_until(lambda: far.kv.get(("k",)).register("x") is not None)
    states = [member.liveness for member in near.members()]
    return event, len(far.kv.get(("k",)).register("x")), states


def _config(n: int) -> NodeConfig:
    return NodeConfig(
        name=f"n{n}",
        bind=(f"10.9.0.{n}", 7946),
        seeds=[("10.9.0.1", 7946)],
        keys=[bytes(32)],
        membership=QUICK,
    )
