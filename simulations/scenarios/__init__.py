"""The experiments by name. Each is a file of its own."""

from __future__ import annotations

from typing import Any

from simulations.scenario import Scenario
from simulations.scenarios import (
    asymmetric,
    bootstrap,
    churn,
    detect,
    flood,
    join,
    overlay,
    partition,
    rejoin_old_disk,
    restart,
    steady,
    takeover,
    update,
)

_MODULES = (
    join,
    detect,
    update,
    partition,
    asymmetric,
    churn,
    restart,
    takeover,
    rejoin_old_disk,
    overlay,
    steady,
    flood,
    bootstrap,
)

#: Every scenario, in the order in which they are shown.
SCENARIOS: dict[str, Scenario[Any]] = {
    module.SCENARIO.name: module.SCENARIO for module in _MODULES
}
