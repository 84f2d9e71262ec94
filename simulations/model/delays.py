"""One-way delays of many datagrams at once, distributed as in the exact world."""

from __future__ import annotations

import numpy as np

from lashup.errors import UsageError
from simulations.latency import SECOND, Samples, Uniform, latency_of
from simulations.model.experiment import Times

#: Arrivals are handled together when they are closer than the least delay, or than
#: this share of the middle one: where delays can be next to nothing, waiting for the
#: least of them would handle every datagram alone.
_COARSEST = 0.25


class Delays:
    """A distribution of delays, in seconds.

    Args:
        text: As `--latency` takes it.

    Raises:
        UsageError: It is none.
    """

    def __init__(self, text: str) -> None:
        latency = latency_of(text)
        match latency:
            case Uniform(least, greatest):
                self._quantiles = np.array([least, greatest]) / SECOND
            case Samples(delays):
                self._quantiles = np.sort(np.array(delays)) / SECOND
            case _:
                raise UsageError(f"--latency: the models do not take {text!r}")
        self._is_uniform = isinstance(latency, Uniform)
        self.mean = float(self._quantiles.mean())
        #: What happens within so many seconds cannot be cause and effect (nearly).
        self.window = max(
            float(self._quantiles[0]), _COARSEST * float(np.median(self._quantiles))
        )

    def draw(self, count: int, rng: np.random.Generator) -> Times:
        """So many, each by itself."""
        if self._is_uniform:
            return rng.uniform(self._quantiles[0], self._quantiles[1], count)
        return rng.choice(self._quantiles, count)
