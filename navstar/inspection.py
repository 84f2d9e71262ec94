"""What `navstar diff` and `navstar explain` answer, as plain JSON values."""

from __future__ import annotations

import time
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from navstar.allocation import IpAddress
from navstar.difference import Disagreement, disagreements
from navstar.errors import ControlError
from navstar.explanation import Explanation, Step, explain
from navstar.kernel_side import PathBelow
from navstar.line import Line
from navstar.look import Look
from navstar.notices import said
from navstar.provenance import claimed_ago
from navstar.tables import row_json

if TYPE_CHECKING:
    from navstar.agent import Agent

Json: TypeAlias = dict[str, Any]


async def diff_json(agent: Agent) -> Json:
    """Every row that is not as it should be."""
    look = await agent.reconciler.plan()
    return {
        "rows": [_disagreement(one) for one in _disagreements(agent, look)],
        "right": len(look.desired.rows & look.actual),
        "reason": look.verdict.reason or None,
        "in_the_way": [said(one) for one in look.in_the_way],
    }


async def explain_json(agent: Agent, address: object) -> Json:
    """The way of a packet to an address.

    Raises:
        ControlError: It is not an address.
    """
    asked = _address(address)
    look = await agent.reconciler.plan()
    explained = explain(asked, look, agent.table.lines)
    below = None
    if explained.agent is not None:
        below = await agent.reconciler.path_below(explained.agent)
    steps = [_step(step) for step in explained.steps]
    if explained.agent is not None:
        steps.append(_underlay(explained.agent, below))
    problems = [step["problem"] for step in steps if step["problem"]]
    is_local = not steps and "own" in explained.meaning
    return {
        "address": str(explained.address),
        "meaning": explained.meaning,
        "steps": steps,
        "agent": _member(agent, explained),
        "remarks": list(explained.remarks),
        "ok": bool(steps or is_local) and not problems,
    }


def _disagreements(agent: Agent, look: Look) -> Iterable[Disagreement]:
    return disagreements(look, agent.table.lines)


def _disagreement(one: Disagreement) -> Json:
    row = one.desired or one.actual
    return {
        "state": one.state,
        "text": str(row),
        "row": row_json(row) if row is not None else None,
        "kernel": str(one.actual) if one.actual is not None else None,
        **_published(one.line),
    }


def _step(step: Step) -> Json:
    problem = None
    if step.actual is None:
        problem = f"the kernel has no {step.name} for it"
    elif not step.is_right:
        problem = f"the kernel has another: {step.actual}"
    return {
        "step": step.name,
        "desired": str(step.desired),
        "kernel": str(step.actual) if step.actual is not None else None,
        **_published(step.line),
        "problem": problem,
    }


def _underlay(agent: IpAddress, below: PathBelow | None) -> Json:
    text = f"VXLAN to {agent}"
    problem = None if below is not None else f"the host has no route to {agent}"
    if below is not None:
        text += f" from {below.source} dev {below.device} mtu {below.mtu}"
    return {
        "step": "underlay",
        "desired": f"VXLAN to {agent}",
        "kernel": text if below is not None else None,
        **_published(None),
        "problem": problem,
    }


def _published(line: Line | None) -> Json:
    """Who said so, and since when."""
    if line is None:
        return {"publisher": None, "node": None, "claimed_ago": None}
    ago = claimed_ago(line, wall=time.time())
    return {"publisher": line.name, "node": line.node, "claimed_ago": round(ago, 1)}


def _member(agent: Agent, explained: Explanation) -> Json | None:
    """What lashup knows of whoever published the way."""
    line = next((step.line for step in reversed(explained.steps) if step.line), None)
    if line is None:
        return None
    found = (m for m in agent.node.members() if m.id.hex() == line.node)
    member = next(found, None)
    return {
        "name": line.name,
        "node": line.node,
        "liveness": member.liveness.name.lower() if member else "unknown",
    }


def _address(address: object) -> IpAddress:
    try:
        if isinstance(address, str):
            return ip_address(address)
    except ValueError:
        pass
    raise ControlError(f"{str(address)[:64]!r} is not an IP address")
