"""A table of overlay lines as navstar writes them, for as many agents as are wanted."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

from lashup.crdt import Delta, MapField
from lashup.crdt.register import Assign
from lashup.kv.store import Store

KEY = ("navstar", "overlay", "9.0.0.0/8")

#: Any fixed moment: timestamps need one, results do not depend on it.
WALL = 1_700_000_000.0


class Agent:
    """One agent that writes its line, again and again, with another MAC each time.

    Args:
        number: Which agent.
        store: Its replica; an empty one if not given.
    """

    def __init__(self, number: int, *, store: Store | None = None) -> None:
        self.field = f"{IPv4Address('44.128.0.1') + number}/12"
        self.node = f"{number:032x}"
        self.number = number
        self._store = store or Store(
            hash_key=b"benchmark", rng=random.Random(number + 1)
        )
        self._writes = 0

    def write(self) -> Delta:
        """The delta of one more write, as it goes to the others."""
        write = self._store.write(KEY, [self.operation()], wall=WALL)
        self._store.commit(write)
        return write.delta

    def operation(self) -> Assign:
        """One more write, for whoever is to make it."""
        self._writes += 1
        where = MapField().map_field(self.field).register(self.node)
        return where.assign(self._line())

    def _line(self) -> dict[str, object]:
        number = self.number
        mac = f"70b3d5{self._writes % 256:02x}{number % 65536:04x}"
        return {
            "mac": ":".join(mac[at : at + 2] for at in range(0, 12, 2)),
            "ip": str(IPv4Address("10.0.0.1") + number),
            "subnet": f"{IPv4Address('9.0.0.0') + number * 256}/24",
            "vni": 1024,
            "port": 64000,
            "mtu": 1450,
            "name": f"agent-{number}",
        }


def filled(agents: int) -> Store:
    """A replica that has the lines of so many agents, numbered from 0."""
    store = Store(hash_key=b"benchmark", rng=random.Random(0))
    for number in range(agents):
        store.merge(Agent(number).write(), wall=WALL)
    return store
