"""The experiments by name. Each is a file of its own."""

from __future__ import annotations

from typing import Any

from simulations.scenario import Scenario
from simulations.scenarios import partition, steady, update

#: Every scenario, in the order in which they are shown.
SCENARIOS: dict[str, Scenario[Any]] = {
    module.SCENARIO.name: module.SCENARIO for module in (update, partition, steady)
}
