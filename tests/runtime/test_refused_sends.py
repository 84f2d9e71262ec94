"""What this host would not send is counted, and told now and then."""

from __future__ import annotations

import anyio

from lashup import LOCAL, NodeConfig, SendRefused, open_node
from lashup.runtime.refused_sends import RefusedSends
from lashup.runtime.udp import SendResult

HERE = ("10.0.0.1", 7946)
THERE = ("10.0.0.2", 7946)


def test_a_refusal_is_told_once_a_minute_for_each_address_and_counted_each_time():
    refused = RefusedSends()

    first = refused.note(HERE, SendResult.REFUSED, now=100.0)
    again = [refused.note(HERE, SendResult.REFUSED, now=100.0 + n) for n in range(60)]
    other = refused.note(THERE, SendResult.NO_ROUTE, now=101.0)
    later = refused.note(HERE, SendResult.TOO_LARGE, now=160.0)

    assert first == SendRefused(HERE, "refused")
    assert set(again) == {None}
    assert other == SendRefused(THERE, "no route")
    assert later == SendRefused(HERE, "too large")
    assert refused.count == 63


def test_many_addresses_take_bounded_memory():
    refused = RefusedSends()
    for n in range(10_000):
        refused.note((f"10.0.{n // 256}.{n % 256}", 1), SendResult.REFUSED, now=1.0)

    assert len(refused._told_at) == 1_024


def test_a_node_tells_what_its_host_would_not_send_and_goes_on(on):
    async def main() -> None:
        config = NodeConfig(name="a", membership=LOCAL, bind=("127.0.0.1", 0))
        async with open_node(config) as node, node.events() as events:
            await node.join([("::1", 7946)])  # it has no socket of that family
            with anyio.fail_after(10):
                told = await anext(events)

            assert told == SendRefused(("::1", 7946), "no route")
            assert node.statistics()["sends_refused"] >= 1

    on(main)
