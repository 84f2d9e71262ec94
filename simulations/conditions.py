"""Parameters of scenarios: typed fields with a unit and a help, and those all share."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TypeAlias, TypeVar, get_type_hints

from lashup.errors import UsageError
from simulations.latency import latency_of

#: What a parameter's value may be.
Value: TypeAlias = int | float | str

ValueT = TypeVar("ValueT", int, float, str)

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
    """

    option: str
    field: str
    kind: type[int] | type[float] | type[str]
    default: Value
    unit: str
    help: str
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> Value:
        """A value as it is written on the command line; durations take a unit.

        Raises:
            UsageError: Not such a value.
        """
        try:
            value = self._parse(text.strip())
        except ValueError:
            wanted = (
                "a duration such as 60s" if self.unit == "s" else self.kind.__name__
            )
            raise UsageError(f"--{self.option}: {text!r} is not {wanted}") from None
        if self.choices and value not in self.choices:
            known = ", ".join(self.choices)
            raise UsageError(f"--{self.option}: {text!r} is none of {known}")
        return value

    def show(self, value: Value) -> str:
        """A value as it is to be written on the command line; `parse` takes it back."""
        text = repr(value) if isinstance(value, float) else str(value)
        return f"{text}s" if self.unit == "s" else text

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
) -> ValueT:
    """A field of a parameters' dataclass.

    Args:
        default: Its default; its type is the field's.
        about: One sentence for the help.
        unit: See `Parameter`.
        option: Its name on the command line, where that cannot be a field's name.
        choices: See `Parameter`.
    """
    metadata = {"help": about, "unit": unit, "option": option, "choices": choices}
    made: ValueT = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all scenarios take: the cluster and its network.

    Raises:
        UsageError: A value is out of range; names it.
    """

    nodes: int = parameter(100, "Nodes of the cluster.")
    loss: float = parameter(0.0, "Share of datagrams that are lost.")
    burst: float = parameter(
        0.0, "Mean length of loss in bursts; 0: losses are independent.", unit="s"
    )
    latency: str = parameter(
        "uniform:0.2ms:1ms",
        "One way: constant:T, uniform:T:T, lognormal:MEDIAN:SIGMA, samples:FILE.",
    )
    duplicate: float = parameter(0.0, "Share of datagrams that arrive twice.")
    reorder: float = parameter(0.0, "Share of datagrams that others overtake.")
    corrupt: float = parameter(0.0, "Share of datagrams whose bytes are damaged.")
    mtu: int = parameter(0, "Greatest UDP payload that passes; 0: any.", unit="B")
    bandwidth: float = parameter(
        0.0, "What a node's link carries each way; 0: anything.", unit="B/s"
    )
    disk: float = parameter(0.002, "Time that a commit takes.", unit="s")
    skew: float = parameter(
        0.0, "Wall clocks are wrong by up to this, either way.", unit="s"
    )

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise UsageError(f"nodes: {self.nodes} make no cluster; 2 or more do")
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name}: {getattr(self, name)} is no share below 1")
        for name in ("burst", "mtu", "bandwidth", "disk", "skew"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: {getattr(self, name)} is below 0")
        latency_of(self.latency)


def parameters_of(kind: type[Conditions]) -> tuple[Parameter, ...]:
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
        )
        for each in fields(kind)
        if each.default is not MISSING
    ]
    return tuple(sorted(found, key=lambda p: p.field in shared))
