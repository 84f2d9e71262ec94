"""Replicated values that merge without coordination. Pure; knows nothing of networks.

- `dot`, `causal_context`: names of updates, and sets of them
- `facts`: the fact set and the one join; `branch`, `trie`: its immutable read side
- `writer`: operations become a delta
- `register`, `multi_value_register`, `add_wins_set`, `flag`, `counter`, `map`: types,
  each a view over the facts
- `hybrid_clock`: timestamps; `field`: names of places
"""

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta, FactSet, Joined
from lashup.crdt.field import Key, Name
from lashup.crdt.map import MapField, MapView

__all__ = (
    "Actor",
    "CausalContext",
    "Delta",
    "Dot",
    "Fact",
    "FactSet",
    "Joined",
    "Key",
    "MapField",
    "MapView",
    "Name",
)
