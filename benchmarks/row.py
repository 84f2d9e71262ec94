"""What a benchmark is, what it answers, and how a short piece of code is timed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Any, TypeAlias


class Effort(Enum):
    """How long a measurement may take."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Case:
    """One figure.

    Attributes:
        case: What was varied, e.g. `1,000 lines`.
        value: The figure, in the row's unit; the median where it is a time.
        ok: Whether the goal is reached.
        p99: The 99th percentile where the figure has one.
        unit: Where it differs from the row's.
    """

    case: str
    value: float
    ok: bool
    p99: float | None = None
    unit: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The case in the form that `--json` prints."""
        answer: dict[str, Any] = {"case": self.case, "value": self.value}
        if self.p99 is not None:
            answer["p99"] = self.p99
        if self.unit is not None:
            answer["unit"] = self.unit
        return answer | {"ok": self.ok}


Measure: TypeAlias = Callable[[Effort], list[Case]]


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark.

    Attributes:
        name: As the command line has it.
        what: What is measured, in a line.
        unit: Of all values.
        goal: The figure to reach, in words.
        peer: What others reach, or the physical limit; and where that is from.
        measure: Measures, and returns the figures.
    """

    name: str
    what: str
    unit: str
    goal: str
    peer: str
    measure: Measure


def microseconds(work: Callable[[], object], *, calls: int, repeats: int = 15) -> float:
    """What one call of `work` takes, in microseconds.

    The median of the means over `calls` calls each: it is little moved by whatever
    else the machine does.
    """
    means = []
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        means.append((time.perf_counter() - began) / calls * 1e6)
    return median(means)


def percentile_99(values: Sequence[float]) -> float:
    """The smallest value that 99 % of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * 0.99) - 1)]
