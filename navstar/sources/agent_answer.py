"""The agent module's answer, taken apart overlay by overlay. Pure.

The answer as a whole must be an object with a list of overlays. Within it every
overlay stands alone: a bad one is skipped with its reason and stops no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, ValidationError

from navstar.allocation import (
    DEFAULT_VXLAN_PORT,
    Allocation,
    IpAddress,
    Overlay,
    Skipped,
    Vtep,
)
from navstar.checks import check_allocation, is_device_name
from navstar.errors import STAYS
from navstar.fields import (
    Interface4,
    Interface6,
    Mac,
    Network4,
    Network6,
    Vni,
    problems_of,
)

#: Characters. Of a thousand overlays that cannot be used a few reasons are enough.
MOST_REASONS = 1000


class _Part(BaseModel):
    """A part of the answer. Fields that we do not know are the module's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Vxlan(_Part):
    vni: Vni
    vtep_name: str
    vtep_mac: Mac
    vtep_ip: Interface4 | None = None
    vtep_ip6: Interface6 | None = None
    vtep_mtu: int | None = None


class _Info(_Part):
    name: str
    subnet: Network4 | None = None
    subnet6: Network6 | None = None


class _Backend(_Part):
    vxlan: _Vxlan


class _Overlay(_Part):
    info: _Info
    backend: _Backend
    subnet: Network4 | None = None
    subnet6: Network6 | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint said, together with what it said before.

    Attributes:
        allocation: For the daemon.
        good: Every overlay that is in force, by name.
        kept: What the endpoint listed for each of them, as parsed, when it last
            said something new of it. `read_kept` makes the same of it again.
    """

    allocation: Allocation = field(default_factory=Allocation)
    good: Mapping[str, Overlay] = field(default_factory=lambda: MappingProxyType({}))
    kept: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class _Reading:
    """An answer while it is being read."""

    before: Answer
    good: dict[str, Overlay] = field(default_factory=dict)
    kept: dict[str, object] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def take(self, item: object, number: int) -> None:
        """Use what is listed, or else what was in force under its name."""
        name = _name(item, number)
        if _is_disabled(item):
            self.skipped.append(Skipped(name, "it is disabled"))
            return
        overlay, reason = _usable(item)
        if overlay is not None:
            reason = _unfit(overlay, self.good)
            if reason is None:
                self._use(overlay, item)
                return
        before = self.before.good.get(name)
        if before is not None and _unfit(before, self.good) is None:
            self._use(before, self.before.kept[name])
            reason = f"{reason}; kept as it was"
        self.skipped.append(Skipped(name, reason or "it cannot be used"))

    def _use(self, overlay: Overlay, item: object) -> None:
        self.good[overlay.name] = overlay
        is_same = self.before.good.get(overlay.name) == overlay
        self.kept[overlay.name] = self.before.kept[overlay.name] if is_same else item


def read_answer(document: object, *, before: Answer) -> Answer:
    """Make an allocation of the endpoint's JSON.

    A module that has only just started lists nothing, or nothing that can be used.
    That is no allocation: to go by it would take a working network down.

    Args:
        document: As parsed.
        before: The answer before this one. An overlay that was good in it and is
            listed without being good now is kept as it was.

    Raises:
        ValueError: The document as a whole has another form, lists no overlay, or
            none that can be used while none was before either.
    """
    if not isinstance(document, dict):
        raise ValueError(f"the answer should be a JSON object, not {_kind(document)}")
    listed = document.get("overlays", [])
    if not isinstance(listed, list):
        raise ValueError(f"overlays should be a list, not {_kind(listed)}")
    if not listed:
        raise ValueError(f"the agent module lists no overlay; {STAYS}")
    reading = _read(listed, before)
    is_known = reading.good or before.good or all(map(_is_disabled, listed))
    if not is_known:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in reading.skipped)
        raise ValueError(f"no overlay can be used yet: {reasons[:MOST_REASONS]}")
    allocation = Allocation(
        overlays=tuple(reading.good.values()),
        skipped=tuple(reading.skipped),
        agent_ip=_agent_ip(document.get("ip")),
    )
    return _answer(allocation, reading)


def read_kept(items: list[object]) -> Answer:
    """The answer that `kept` was of; an item that is not usable is left out."""
    return _answer(Allocation(), _read(items, Answer()))


def _read(listed: list[object], before: Answer) -> _Reading:
    reading = _Reading(before)
    for number, item in enumerate(listed):
        reading.take(item, number)
    return reading


def _answer(allocation: Allocation, reading: _Reading) -> Answer:
    good, kept = MappingProxyType(reading.good), MappingProxyType(reading.kept)
    return Answer(allocation, good, kept)


def _is_disabled(item: object) -> bool:
    """Whether the operator of the cluster has turned it off."""
    match item:
        case {"info": {"enabled": False}}:
            return True
        case _:
            return False


def _usable(item: object) -> tuple[Overlay | None, str | None]:
    """The overlay as listed, or why there is none."""
    match item:
        case {"backend": {"vxlan": dict()}, "state": {"status": "STATUS_OK"}}:
            return _overlay(item, _bridges(item))
        case {"backend": {"vxlan": dict()}, "state": {"status": str(status), **state}}:
            return None, f"its status is {status[:64]}{_error(state)}"
        case {"backend": {"vxlan": dict()}}:
            return None, "it has no status"
        case dict():
            return None, "it has no VXLAN backend"
        case _:
            return None, f"it should be an object, not {_kind(item)}"


def _bridges(item: object) -> tuple[str, ...]:
    """Names of the bridges that the module has made, as far as it says so."""
    listed = item if isinstance(item, dict) else {}
    parts = [listed.get("mesos_bridge"), listed.get("docker_bridge")]
    names = (part.get("name") for part in parts if isinstance(part, dict))
    return tuple(n for n in names if isinstance(n, str) and is_device_name(n))


def _overlay(
    item: object, bridges: tuple[str, ...]
) -> tuple[Overlay | None, str | None]:
    """The overlay, or why there is none."""
    try:
        parsed = _Overlay.model_validate(item)
    except ValidationError as error:
        return None, "; ".join(map(str, problems_of(error, sections=())))
    vxlan = parsed.backend.vxlan
    vtep = Vtep(
        name=vxlan.vtep_name,
        vni=vxlan.vni,
        mac=vxlan.vtep_mac,
        port=DEFAULT_VXLAN_PORT,
        address=vxlan.vtep_ip,
        address6=vxlan.vtep_ip6,
        mtu=vxlan.vtep_mtu,
    )
    # As in the original a family without VTEP address is not in use: the module
    # hands out IPv6 blocks also where it has no IPv6 for the VTEP.
    return Overlay(
        name=parsed.info.name,
        vtep=vtep,
        subnet=parsed.info.subnet,
        block=parsed.subnet if vtep.address else None,
        subnet6=parsed.info.subnet6,
        block6=parsed.subnet6 if vtep.address6 else None,
        bridges=bridges,
    ), None


def _error(state: Mapping[object, object]) -> str:
    """The module's own words, cut short: it is a text from elsewhere."""
    error = state.get("error")
    return f" ({error[:200]})" if isinstance(error, str) and error else ""


def _unfit(overlay: Overlay, others: Mapping[str, Overlay]) -> str | None:
    """Why the overlay cannot stand beside those before it, if so."""
    findings = check_allocation([*others.values(), overlay])
    return "; ".join(str(finding.problem) for finding in findings) or None


def _name(item: object, number: int) -> str:
    match item:
        case {"info": {"name": str(name)}}:
            return name[:64]
        case _:
            return f"overlays[{number}]"


def _agent_ip(text: object) -> IpAddress | None:
    """The text before the port; without a usable one the daemon finds out itself."""
    if not isinstance(text, str):
        return None
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        return ip_address(host)
    except ValueError:
        return None


def _kind(value: object) -> str:
    return type(value).__name__
