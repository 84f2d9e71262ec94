"""Seeds and lists of values as they are written on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from lashup.errors import UsageError
from simulations.conditions import Parameter, Value
from simulations.latency import latency_of

#: Seeds that one command takes, at most: more is a slip of the finger.
_MOST_SEEDS = 100_000


def seeds_of(text: str) -> tuple[int, ...]:
    """`20` is the seeds 1 to 20, `5-9` is 5 to 9, `3,7-9` is 3, 7, 8 and 9.

    Raises:
        UsageError: It is none of these.
    """
    seeds: Sequence[int]
    try:
        if text.isdecimal():
            seeds = range(1, _within(int(text)) + 1)
        else:
            seeds = [seed for part in text.split(",") for seed in _stretch(part)]
    except ValueError:
        wanted = "a number of seeds (20), a range (5-9) or a list (3,7-9)"
        raise UsageError(f"--seeds: {text!r} is not {wanted}") from None
    if not seeds:
        raise UsageError(f"--seeds: {text!r} is no seed at all")
    return tuple(dict.fromkeys(seeds))


def value_of(parameter: Parameter, text: str) -> Value:
    """One value of a parameter.

    Raises:
        UsageError: It is not one, or makes no sense.
    """
    value = parameter.parse(text)
    if parameter.option == "latency":
        latency_of(str(value))
    return value


def values_of(parameter: Parameter, text: str) -> tuple[Value, ...]:
    """One or several values of a parameter, with commas between.

    Raises:
        UsageError: One is not a value, or makes no sense.
    """
    found = (value_of(parameter, part) for part in text.split(","))
    return tuple(dict.fromkeys(found))


def combinations(
    values: Mapping[str, tuple[Value, ...]],
) -> Iterator[dict[str, Value]]:
    """Every combination of values, the first parameter changing slowest."""
    for chosen in product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def _stretch(text: str) -> range:
    first, dash, last = text.partition("-")
    if not dash:
        return range(int(first), int(first) + 1)
    _within(int(last) - int(first))
    return range(int(first), int(last) + 1)


def _within(count: int) -> int:
    if count > _MOST_SEEDS:
        raise UsageError(f"--seeds: {count} are more than {_MOST_SEEDS}")
    return count
