"""Beyond exact size: detection and dissemination as arrays, up to a million nodes.

The nodes are not there, only what decides when things happen: the trees of the
multicast, rings of probes, the suspicion's ladder, rounds of gossip. Each file says
what it assumes and leaves out; docs/studies/vectorised-model.md has all of it in one
place, and the error against the exact world at 100, 300 and 1,000 nodes.
"""

from simulations.model.detect import DETECT
from simulations.model.experiment import Model
from simulations.model.partition import PARTITION
from simulations.model.update import UPDATE

#: The models by name, in the order in which they are shown.
MODELS: dict[str, Model] = {each.name: each for each in (DETECT, UPDATE, PARTITION)}

__all__ = ["MODELS", "Model"]
