"""Parameters of scenarios: typed fields with a unit and a help, and those all share."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeAlias, TypeVar, get_type_hints

from lashup.errors import UsageError
from lashup.wire.frames import LEAST_DATAGRAM
from simulations.latency import FORMS, latency_of

#: What a parameter's value may be.
Value: TypeAlias = int | float | str

ValueT = TypeVar("ValueT", int, float, str)

#: Greatest value that is written: what lashup takes, with its framing.
MOST_BYTES = 16_000
#: Where more is lost, or damaged, waiting for the rest is no experiment.
MOST_LOST = 0.99

#: What a duration may be written with: 60s, 5ms, 1.5min, 25h, or a plain number.
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a scenario, as the command line shows it.

    Attributes:
        option: Its name there, without the dashes; also its name in results.
        field: The field of the parameters' dataclass.
        kind: Type of its value.
        default: What it is when it is not given.
        unit: "s" for durations, "B/s" and the like; empty for a plain number.
        help: One sentence.
        choices: The values that it takes; empty where any will do.
        least: A number is not below this.
        most: Nor above this.
        leaves: It is a number of nodes, all but so many at most; None: it is none.
    """

    option: str
    field: str
    kind: type[int] | type[float] | type[str]
    default: Value
    unit: str
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0.0
    most: float = math.inf
    leaves: int | None = None

    def parse(self, text: str) -> Value:
        """A value as it is written on the command line; durations take a unit.

        Raises:
            UsageError: Not such a value, or one that makes no sense.
        """
        try:
            value = self._parse(text.strip())
        except ValueError:
            wanted = (
                "a duration such as 60s" if self.unit == "s" else self.kind.__name__
            )
            raise UsageError(f"--{self.option}: {text!r} is not {wanted}") from None
        self.check(value)
        return value

    def check(self, value: Value) -> None:
        """Refuse a value that makes no sense.

        Raises:
            UsageError: It is no choice, below the least, above the greatest, or not
                finite.
        """
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                known = ", ".join(self.choices)
                raise UsageError(f"--{self.option}: {value!r} is none of {known}")
            return
        if not math.isfinite(value):
            problem = "is not finite"
        elif value < self.least:
            problem = f"is below {self._short(self.least)}"
        elif value > self.most:
            problem = f"is above {self._short(self.most)}"
        else:
            return
        raise UsageError(f"--{self.option}: {self.show(value)} {problem}")

    def check_among(self, value: Value, *, nodes: int) -> None:
        """Refuse a number of nodes that the cluster does not have.

        Raises:
            UsageError: Too many.
        """
        if self.leaves is None or isinstance(value, str):
            return
        most = nodes - self.leaves
        if value > most:
            raise UsageError(
                f"--{self.option}: {self.show(value)} of {nodes} nodes; {most} at "
                "most, or give more --nodes"
            )

    def show(self, value: Value) -> str:
        """A value as it is to be written on the command line; `parse` takes it back."""
        text = repr(value) if isinstance(value, float) else str(value)
        return f"{text}s" if self.unit == "s" else text

    def _short(self, bound: float) -> str:
        return f"{bound:g}s" if self.unit == "s" else f"{bound:g}"

    def _parse(self, text: str) -> Value:
        if self.kind is str:
            return text
        if self.unit == "s":
            for suffix in sorted(_SECONDS, key=len, reverse=True):
                if text.endswith(suffix):
                    return float(text.removesuffix(suffix)) * _SECONDS[suffix]
            return float(text)
        return int(text) if self.kind is int else float(text)


def parameter(
    default: ValueT,
    about: str,
    *,
    unit: str = "",
    option: str = "",
    choices: tuple[str, ...] = (),
    least: float = 0.0,
    most: float = math.inf,
    leaves: int | None = None,
) -> ValueT:
    """A field of a parameters' dataclass.

    Args:
        default: Its default; its type is the field's.
        about: One sentence for the help.
        unit: See `Parameter`.
        option: Its name on the command line, where that cannot be a field's name.
        choices: See `Parameter`.
        least: See `Parameter`.
        most: See `Parameter`.
        leaves: See `Parameter`.
    """
    metadata = {
        "help": about,
        "unit": unit,
        "option": option,
        "choices": choices,
        "least": least,
        "most": most,
        "leaves": leaves,
    }
    made: ValueT = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all scenarios take: the cluster and its network.

    Raises:
        UsageError: A value is out of range; names it.
    """

    nodes: int = parameter(100, "Nodes of the cluster.", least=2)
    loss: float = parameter(0.0, "Share of datagrams that are lost.", most=MOST_LOST)
    burst: float = parameter(
        0.0, "Mean length of loss in bursts; 0: losses are independent.", unit="s"
    )
    latency: str = parameter(
        "uniform:0.2ms:1ms",
        f"One way: {FORMS}.",
    )
    duplicate: float = parameter(0.0, "Share of datagrams that arrive twice.", most=1)
    reorder: float = parameter(0.0, "Share of datagrams that others overtake.", most=1)
    corrupt: float = parameter(
        0.0, "Share of datagrams whose bytes are damaged.", most=MOST_LOST
    )
    mtu: int = parameter(0, "Greatest UDP payload that passes; 0: any.", unit="B")
    bandwidth: float = parameter(
        0.0, "What a node's link carries each way; 0: anything.", unit="B/s"
    )
    disk: float = parameter(0.002, "Time that a commit takes.", unit="s")
    skew: float = parameter(
        0.0, "Wall clocks are wrong by up to this, either way.", unit="s"
    )

    def __post_init__(self) -> None:
        for each in parameters_of(type(self)):
            each.check(getattr(self, each.field))
            each.check_among(getattr(self, each.field), nodes=self.nodes)
        latency_of(self.latency)
        if 0 < self.mtu < LEAST_DATAGRAM:
            raise UsageError(
                f"--mtu: {self.mtu} is below {LEAST_DATAGRAM}, which every path is "
                "taken to carry; 0: any"
            )


def parameters_of(kind: type[Any]) -> tuple[Parameter, ...]:
    """The parameters of a dataclass of them, the scenario's own first."""
    hints = get_type_hints(kind)
    shared = {each.name for each in fields(Conditions)}
    found = [
        Parameter(
            option=each.metadata["option"] or each.name.replace("_", "-"),
            field=each.name,
            kind=hints[each.name],
            default=each.default,
            unit=each.metadata["unit"],
            help=each.metadata["help"],
            choices=each.metadata["choices"],
            least=each.metadata["least"],
            most=each.metadata["most"],
            leaves=each.metadata["leaves"],
        )
        for each in fields(kind)
        if each.default is not MISSING
    ]
    return tuple(sorted(found, key=lambda p: p.field in shared))
