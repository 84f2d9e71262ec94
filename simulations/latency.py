"""How long a datagram takes, one way.

All times are whole nanoseconds: what a library of mathematics rounds differently on
another machine must not make another run. Distributions that need such functions
are tables of quantiles, rounded to 100 ns, of which one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Protocol

from lashup.errors import UsageError

SECOND = 1_000_000_000
_QUANTILES = 4096
_GRAIN = 100
_UNITS = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9, "s": 1.0}


class Latency(Protocol):
    """A distribution of one-way delays."""

    def draw(self, rng: Random) -> int:
        """One delay in nanoseconds."""
        ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any delay between two, both in nanoseconds; equal ones make it constant."""

    least: int
    greatest: int

    def draw(self, rng: Random) -> int:
        """One delay in nanoseconds."""
        return self.least + int(rng.random() * (self.greatest - self.least))


@dataclass(frozen=True, slots=True)
class Samples:
    """Delays that were measured, each as likely as the next. In nanoseconds."""

    delays: tuple[int, ...]

    def draw(self, rng: Random) -> int:
        """One delay in nanoseconds."""
        return self.delays[int(rng.random() * len(self.delays))]


def log_normal(median: float, sigma: float) -> Samples:
    """Delays as they are on long paths: few are much longer than most.

    Args:
        median: Seconds.
        sigma: Of the logarithm; 0.5 makes one in a hundred 3.2 times the median.
    """
    normal = NormalDist()
    middles = ((i + 0.5) / _QUANTILES for i in range(_QUANTILES))
    return Samples(
        tuple(_whole(median * math.exp(sigma * normal.inv_cdf(p))) for p in middles)
    )


def measured(seconds: Sequence[float]) -> Samples:
    """Delays that somebody measured, in seconds; at least one."""
    if not seconds:
        raise ValueError("no delay in it")
    return Samples(tuple(_whole(each) for each in seconds))


#: What `latency_of` takes, for help and errors.
FORMS = "constant:T, uniform:T:T, lognormal:MEDIAN:SIGMA, samples:FILE"


def latency_of(text: str) -> Latency:
    """A distribution as it is written on the command line.

    Args:
        text: `constant:1ms`, `uniform:0.2ms:1ms`, `lognormal:20ms:0.5` (the median and
            the sigma of the logarithm), `samples:FILE` (seconds, one a line).

    Raises:
        UsageError: Not one of these, or the file cannot be read.
    """
    try:
        match text.split(":"):
            case ["constant", delay]:
                return Uniform(_nanoseconds(delay), _nanoseconds(delay))
            case ["uniform", least, greatest]:
                if _nanoseconds(least) > _nanoseconds(greatest):
                    raise ValueError(f"{least} is above {greatest}")
                return Uniform(_nanoseconds(least), _nanoseconds(greatest))
            case ["lognormal", median, sigma]:
                if float(sigma) < 0:
                    raise ValueError(f"a sigma of {sigma} is below 0")
                return log_normal(_nanoseconds(median) / SECOND, float(sigma))
            case ["samples", *path]:
                lines = Path(":".join(path)).read_text(encoding="utf-8").split()
                return measured([float(line) for line in lines])
            case _:
                raise UsageError(f"--latency: {text!r} is none of {FORMS}")
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"--latency: {text!r}: {error}") from error


def _nanoseconds(text: str) -> int:
    for suffix, unit in _UNITS.items():
        if text.endswith(suffix):
            return _checked(float(text.removesuffix(suffix)) * unit)
    return _checked(float(text))


def _checked(seconds: float) -> int:
    if seconds < 0:
        raise ValueError(f"{seconds:g} s is no delay")
    return round(seconds * SECOND)


def _whole(seconds: float) -> int:
    return round(_checked(seconds) / _GRAIN) * _GRAIN
