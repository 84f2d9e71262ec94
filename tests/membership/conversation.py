"""What is said to one machine, and by it, without a world around it."""

from dataclasses import dataclass

from lashup.machine import NodeId, Send
from lashup.membership import Swim
from lashup.membership.messages import (
    Header,
    Message,
    Ping,
    PingRequest,
    encode_packet,
    packet_untrusted,
)
from tests.membership.vocabulary import address, node_id


def said(effects) -> list[tuple[tuple[str, int], Message]]:
    messages = []
    for effect in effects:
        if isinstance(effect, Send):
            packet = packet_untrusted(effect.payload, known=())
            assert packet is not None
            messages.append((effect.to, packet.message))
    return messages


def receive(swim: Swim, message: Message, *, sender: int, now: float):
    header = Header(node_id(sender), 1, 0, 0, b"")
    return swim.receive(encode_packet(header, (), message), address(sender), now=now)


def until(swim: Swim, kind: type[Message], *, limit: float):
    """Tick a machine that nobody answers until it says something of a kind."""
    while (now := swim.next_wakeup()) < limit:
        found = [(to, m) for to, m in said(swim.tick(now=now)) if isinstance(m, kind)]
        if found:
            return now, found
    raise AssertionError(f"no {kind.__name__} before {limit}")


@dataclass(frozen=True)
class Asked:
    """A probe whose helpers were asked: when and about whom, and which they are."""

    began: float
    at: float
    seq: int
    target: NodeId
    helpers: list[int]


def until_helpers_are_asked(prober: Swim, *, now: float) -> Asked:
    """Tick a machine that nobody answers until it asks the helpers of a probe."""
    began, ((_, ping), *_) = until(prober, Ping, limit=now + 5)
    assert isinstance(ping, Ping)
    assert ping.target is not None
    at, requests = until(prober, PingRequest, limit=now + 5)
    helpers = [n for n in range(64) if address(n) in {to for to, _ in requests}]
    return Asked(began, at, ping.seq, ping.target, helpers)
