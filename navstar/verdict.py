"""Whether all is well, from what `navstar status` says. Pure.

Wrong is what somebody has to do something about. What passes by itself is not: a
start that is under way, a withdrawal that waits, lines of others that give no rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Seconds that a start may take to hear of the allocation and of the table.
START_TAKES = 10.0


def problems_of(status: Mapping[str, Any]) -> list[str]:
    """Name what is wrong, the worst first; empty if nothing is.

    Args:
        status: As the daemon answers it, without the verdict.
    """
    return [*_of_the_cluster(status), *_of_the_kernel(status)]


def _of_the_cluster(status: Mapping[str, Any]) -> Iterator[str]:
    is_started = status["uptime"] >= START_TAKES
    if not status["seeds"]["answered"]:
        yield _silence(status)
    elif not (status["kv_synchronised"] or status["is_alone"]) and is_started:
        yield "the table is not synchronised"
    if status["source"]["fault"]:
        yield "the source cannot be read"
    if status["state"] == "waiting" and is_started:
        yield "waiting for the allocation, or for this agent's address"
    if status["conflicts"]:
        yield _counted(len(status["conflicts"]), "conflict")


def _silence(status: Mapping[str, Any]) -> str:
    text = f"no seed has answered for {status['seeds']['silent_for']:.1f} s"
    refused = status["refused_datagrams"]
    unopened = refused["unknown_key"] + refused["forged"]
    if unopened:
        text += f"; {unopened} datagrams did not open: another key or cluster"
    return text


def _of_the_kernel(status: Mapping[str, Any]) -> Iterator[str]:
    if status["state"] == "down":
        yield "nothing of ours is in the kernel until 'navstar up'"
        return
    last = status["kernel"]["last_pass"]
    if last and last["fault"]:
        yield "the last pass failed"
    if status["unusable"]:
        yield _counted(len(status["unusable"]), "overlay") + " of ours that cannot be"
    if status["in_the_way"]:
        yield _counted(len(status["in_the_way"]), "foreign link") + " in the way"
    if status["contested"]:
        count = len(status["contested"])
        yield _counted(count, "row") + " of ours that somebody keeps undoing"
    if status["refused"]:
        yield _counted(len(status["refused"]), "row") + " refused by the kernel"
    missing = status["rows"]["missing"]
    if missing:
        yield _counted(missing, "row") + " missing"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
