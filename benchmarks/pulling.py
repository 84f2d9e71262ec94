"""Two replicas that make each other equal, without a network: bytes and round trips."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.overlay_table import WALL
from lashup.kv.effects import KvEffect
from lashup.kv.replica import Replica
from lashup.machine import Address, Send

HASH_KEY = b"benchmark"
_ADDRESSES: tuple[Address, Address] = (("10.0.0.1", 7946), ("10.0.0.2", 7946))
#: Bytes of payload of a datagram of 1,400 bytes, as a node has it.
PART_SIZE = 1_280


@dataclass(slots=True)
class Cost:
    """What an exchange took.

    Attributes:
        bytes: Of messages, both ways.
        trips: Questions that waited for an answer before the next could be asked.
    """

    bytes: int = 0
    trips: int = 0


def replica(number: int) -> Replica:
    """An empty replica."""
    return Replica(hash_key=HASH_KEY, rng=random.Random(number), part_size=PART_SIZE)


def equalise(one: Replica, two: Replica) -> Cost:
    """Let each pull from the other until both are equal."""
    cost = Cost()
    while one.root != two.root:
        for asker, peer in ((0, 1), (1, 0)):
            pull = _pull((one, two)[asker], (one, two)[peer], peer)
            cost.bytes += pull.bytes
            # Both sides pull at the same time.
            cost.trips = max(cost.trips, pull.trips)
    return cost


def _pull(asker: Replica, answerer: Replica, peer: int) -> Cost:
    cost = Cost()
    to, own = _ADDRESSES[peer], _ADDRESSES[1 - peer]
    asker.hear_rider(answerer.rider, to, now=0.0)
    # Nothing is lost here, so nothing is asked twice: the time need not pass.
    asking = _payloads(asker.tick(now=1.0, wall=WALL))
    while asking:
        cost.trips += 1
        answers = [
            payload
            for ask in asking
            for payload in _payloads(
                answerer.receive_untrusted(ask, own, now=1.0, wall=WALL)
            )
        ]
        cost.bytes += sum(map(len, asking)) + sum(map(len, answers))
        asking = [
            payload
            for answer in answers
            for payload in _payloads(
                asker.receive_untrusted(answer, to, now=1.0, wall=WALL)
            )
        ]
    return cost


def _payloads(effects: Iterable[KvEffect]) -> list[bytes]:
    return [effect.payload for effect in effects if isinstance(effect, Send)]
