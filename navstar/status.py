"""What `navstar status` and the other questions answer, as plain JSON values."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from lashup import Member
from navstar.allocation import Overlay
from navstar.contest import Contested
from navstar.diff import Op
from navstar.line import Line
from navstar.look import Look
from navstar.notices import address_text, name_conflicts, said
from navstar.pass_report import PassReport
from navstar.removal import Removed
from navstar.succession import other_vxlans
from navstar.tables import Fdb, Neighbour, Route, Row, row_json
from navstar.verdict import problems_of

if TYPE_CHECKING:
    from navstar.agent import Agent

Json: TypeAlias = dict[str, Any]


def status_json(agent: Agent) -> Json:
    """Everything an operator, or a script, asks first."""
    answer = _state_of(agent)
    problems = problems_of(answer)
    return {"ok": not problems, "problems": problems, **answer}


def _state_of(agent: Agent) -> Json:
    now = trio.current_time()
    last = agent.reconciler.last
    look = last.look if last is not None else Look()
    rows, allocation = _rows_after(last), agent.allocation
    return {
        "state": agent.reconciler.mode.value,
        "node": {
            "id": agent.me,
            "name": agent.node.name,
            "address": address_text(agent.node.address),
        },
        "agent_ip": str(agent.agent_ip) if agent.agent_ip else None,
        "uptime": round(now - agent.started_at, 3),
        "kv_synchronised": agent.node.kv.is_synchronised,
        "is_alone": agent.is_alone,
        "members": _member_counts(agent.node.members()),
        "seeds": {
            "answered": not agent.hearing.is_cut_off,
            "silent_for": round(agent.hearing.silent_for, 3),
        },
        "refused_datagrams": dict(agent.hearing.refused),
        "source": {
            "origin": agent.source.origin,
            "fault": agent.source_fault or None,
            "overlays": len(allocation.overlays) if allocation is not None else None,
            "reads": agent.source.tally.reads,
            "failed_reads": agent.source.tally.failed,
            "seconds": round(agent.source.tally.seconds, 6),
        },
        "overlays": [_overlay(one) for one in allocation.overlays]
        if allocation
        else [],
        "lines": len(agent.table.lines),
        "rows": {
            "desired": len(look.desired.rows),
            "actual": len(rows),
            "missing": len(look.desired.rows - rows),
            "agents": len(look.desired.agents),
        },
        "kernel": {
            "writes": agent.reconciler.counters.writes,
            "passes": agent.reconciler.counters.passes,
            "failed_passes": agent.reconciler.counters.faults,
            "refusals": agent.reconciler.counters.refusals,
            "seconds": round(agent.reconciler.counters.seconds, 6),
            "last_pass": _pass(last, now) if last is not None else None,
        },
        "held": {
            "rows": len(look.verdict.held),
            "reason": look.verdict.reason or None,
        },
        "conflicts": [
            *map(said, look.desired.conflicts),
            *name_conflicts(agent.node.live_members()),
        ],
        "other_vxlans": other_vxlans(look.verdict.aim),
        "skipped": _skipped(agent, look),
        "unusable": [said(one) for one in look.desired.unusable],
        "in_the_way": [said(one) for one in look.in_the_way],
        "contested": [_contested(one) for one in look.contested],
        "refused": list(last.complaints) if last is not None else [],
    }


def members_json(agent: Agent) -> Json:
    """Every member as this agent sees it."""
    now = trio.current_time()
    members = sorted(agent.node.members(), key=lambda one: (one.name, one.id))
    return {
        "members": [
            {
                "id": member.id.hex(),
                "name": member.name,
                "liveness": member.liveness.name.lower(),
                "addresses": [address_text(address) for address in member.addresses],
                "epoch": member.epoch,
                "incarnation": member.incarnation,
                "tags": dict(member.tags),
                "for": round(now - member.since, 3),
                "is_me": member.id == agent.node.id,
            }
            for member in members
        ]
    }


def plan_json(look: Look) -> Json:
    """What a pass would do."""
    return {
        "ops": [_op(op) for op in look.ops],
        "puts": look.puts,
        "deletes": look.deletes,
        "held": sorted(str(row) for row in look.verdict.held),
        "reason": look.verdict.reason or None,
        "in_the_way": [said(one) for one in look.in_the_way],
    }


def routes_json(look: Look, lines: Iterable[Line]) -> Json:
    """Every row that is there, or should be: which it is, and whom it leads to."""
    names = _names(lines)
    rows = sorted(
        look.desired.rows | look.actual, key=lambda row: _by_agent(row, names)
    )
    return {
        "rows": [
            {
                **row_json(row),
                "text": str(row),
                "agent": names.get(_leads_to(row)),
                "state": _state(row, look),
            }
            for row in rows
        ]
    }


def removed_json(removed: Removed) -> Json:
    """What came of `navstar down`."""
    return {
        "removed": removed.rows,
        "refused": [str(one) for one in removed.refused],
    }


def _state(row: Row, look: Look) -> str:
    if row not in look.actual:
        return "missing"
    if row in look.desired.rows:
        return "right"
    return "held" if row in look.verdict.held else "surplus"


def _by_agent(row: Row, names: dict[str, str]) -> tuple[str, str, str]:
    return names.get(_leads_to(row), ""), type(row).__name__, str(row)


def _leads_to(row: Row) -> str:
    """What a row names its agent by; empty for rows that lead nowhere."""
    match row:
        case Neighbour() | Fdb():
            return row.mac
        case Route():
            return str(row.via)
        case _:
            return ""


def _names(lines: Iterable[Line]) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in lines:
        names[line.mac] = names[str(line.vtep.ip)] = line.name
    return names


def _op(op: Op) -> Json:
    return {"op": type(op).__name__.lower(), "text": str(op), "row": row_json(op.row)}


def _member_counts(members: Iterable[Member]) -> dict[str, int]:
    counts = Counter(member.liveness.name.lower() for member in members)
    return {state: counts[state] for state in ("alive", "suspect", "down", "left")}


def _overlay(overlay: Overlay) -> Json:
    vtep = overlay.vtep
    return {
        "name": overlay.name,
        "subnet": _text(overlay.subnet),
        "block": _text(overlay.block),
        "subnet6": _text(overlay.subnet6),
        "block6": _text(overlay.block6),
        "vtep": vtep.name,
        "vni": vtep.vni,
        "port": vtep.port,
        "mac": vtep.mac,
        "mtu": vtep.mtu,
        "address": _text(vtep.address),
        "address6": _text(vtep.address6),
        "bridges": list(overlay.bridges),
    }


def _skipped(agent: Agent, look: Look) -> list[str]:
    """Overlays and lines that give no rows, each with its reason."""
    allocation = agent.allocation
    listed = allocation.skipped if allocation is not None else ()
    return [
        *map(said, listed),
        *map(said, look.desired.unusable),
        *map(said, look.desired.skipped),
        *map(said, agent.table.bad_lines),
    ]


def _rows_after(last: PassReport | None) -> AbstractSet[Row]:
    """The rows of ours that are there since the last pass, as far as it knows."""
    return frozenset() if last is None else last.standing


def _contested(one: Contested) -> str:
    wait = f"; the next repair in {one.waits:.1f} s" if one.waits else ""
    return f"{one}; repaired {one.repairs} times{wait}"


def _pass(report: PassReport, now: float) -> Json:
    ago = now - report.ended_at
    return {
        "cause": report.cause.value,
        "ago": round(ago, 3),
        "at": round(time.time() - ago, 3),
        "took": round(report.took, 6),
        "puts": report.look.puts,
        "deletes": report.look.deletes,
        "writes": report.applied.writes,
        "fault": report.fault or None,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
