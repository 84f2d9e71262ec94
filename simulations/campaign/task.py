"""One run that is to be done, and what may come of it."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lashup.errors import UsageError
from simulations.campaign.fingerprint import fingerprint
from simulations.conditions import Value
from simulations.results import Key, Record, key_of, thinned
from simulations.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class Task:
    """One run. Small, and the same on every machine: it is sent to workers.

    Attributes:
        scenario: Its name.
        parameters: All of them, by option.
        seed: Of its chance.
        trace_file: Where the events are to be written.
    """

    scenario: str
    parameters: Mapping[str, Value]
    seed: int
    trace_file: Path | None = None

    @property
    def key(self) -> Key:
        """What the run is a function of."""
        return key_of(self.scenario, self.parameters, seed=self.seed)

    @property
    def command(self) -> str:
        """Replays it."""
        return SCENARIOS[self.scenario].command(self.parameters, seed=self.seed)

    @property
    def effort(self) -> float:
        """How long it takes, compared to others: for the time that is left."""
        return math.pow(float(self.parameters.get("nodes", 1)), 1.2)


@dataclass(frozen=True, slots=True)
class Finished:
    """It ran to its end, well or with violations."""

    task: Task
    record: Record


@dataclass(frozen=True, slots=True)
class Broken:
    """It did not come to an end: an error of ours, or its process was killed."""

    task: Task
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Its parameters make no sense; `problem` names the one."""

    task: Task
    problem: str


Result: TypeAlias = Finished | Broken | Refused


def play(task: Task) -> Result:
    """Run it in this process. Raises nothing: what went wrong is the result."""
    scenario = SCENARIOS[task.scenario]
    try:
        outcome = scenario.run(
            task.parameters, seed=task.seed, trace_file=task.trace_file
        )
    except UsageError as error:
        return Refused(task, str(error))
    except Exception:  # whatever it is, the seed must be told
        return Broken(task, traceback.format_exc())
    return Finished(task, Record(thinned(outcome), fingerprint()))


def command_for(
    scenario: str, parameters: Mapping[str, Value], seeds: Iterable[int]
) -> str:
    """The command that runs all these seeds."""
    one = SCENARIOS[scenario].command(parameters, seed=0)
    return f"{one.removesuffix(' --seed 0')} --seeds {seeds_text(seeds)}"


def all_parameters(scenario: str, chosen: Mapping[str, Value]) -> dict[str, Value]:
    """What was chosen, and the defaults of the rest, by option."""
    known = SCENARIOS[scenario].parameters
    return {p.option: p.kind(chosen.get(p.option, p.default)) for p in known}


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds as `--seeds` takes them, with ranges for those that follow each other."""
    stretches: list[list[int]] = []
    for seed in sorted(seeds):
        if stretches and seed == stretches[-1][-1] + 1:
            stretches[-1].append(seed)
        else:
            stretches.append([seed])
    # A number alone would mean the seeds up to it.
    return ",".join(f"{stretch[0]}-{stretch[-1]}" for stretch in stretches)
