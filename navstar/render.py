"""What the commands print for people: tables, in the order one reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json: TypeAlias = dict[str, Any]

_STYLES = {
    "alive": "green",
    "right": "green",
    "reconciling": "green",
    "suspect": "yellow",
    "waiting": "yellow",
    "held": "yellow",
    "missing": "red",
    "surplus": "red",
    "different": "red",
    "fault": "red",
    "warning": "yellow",
    "remark": "",
    "down": "red",
}


def show_status(status: Json) -> None:
    """A page that says whether all is well, and what is not."""
    console = _console()
    if status["ok"]:
        console.print(Text("All is well.", style="green"))
    else:
        console.print(Text(f"Not well: {'; '.join(status['problems'])}", style="red"))
    page = Table.grid(padding=(0, 2))
    page.add_column(style="bold")
    page.add_column()
    for name, value in _facts(status):
        page.add_row(name, value)
    console.print(page)
    for title, items in _complaints(status):
        complain(title, items)


def complain(title: str, items: Iterable[str]) -> None:
    """One line per thing that is wrong, below its title; nothing if nothing is."""
    lines = [line for item in items for line in item.splitlines()]
    if lines:
        console = _console()
        console.print(Text(f"\n{title} ({len(lines)})", style="bold yellow"))
        for line in lines:
            console.print(Text(f"  {line}"))


def show_members(answer: Json) -> None:
    """One line per member."""
    rows = [
        (
            Text(one["name"] + (" (this agent)" if one["is_me"] else "")),
            _state(one["liveness"]),
            Text(duration(one["for"])),
            Text(", ".join(one["addresses"])),
            Text(f"{one['epoch']}.{one['incarnation']}"),
            Text(one["id"]),
        )
        for one in answer["members"]
    ]
    _print(("name", "state", "for", "address", "life", "id"), rows)


def show_routes(answer: Json) -> None:
    """One line per row, by agent."""
    rows = [
        (Text(one["agent"] or "-"), _state(one["state"]), Text(one["text"]))
        for one in answer["rows"]
    ]
    _print(("agent", "state", "row"), rows)


def show_plan(answer: Json) -> None:
    """The operations, in the order in which they would be carried out."""
    console = _console()
    for op in answer["ops"]:
        style = "green" if op["op"] == "put" else "red"
        console.print(Text(op["text"], style=style))
    if answer["reason"]:
        held = f"{len(answer['held'])} rows are held back: {answer['reason']}"
        console.print(Text(held, style="yellow"))
    for link in answer["in_the_way"]:
        console.print(Text(f"in the way: {link}", style="yellow"))
    if answer["ops"]:
        return
    if answer["in_the_way"]:
        console.print(
            "Nothing can be done: the kernel is not as it should be, and what is in "
            "the way is not navstar's to remove."
        )
    elif answer["held"]:
        console.print("Nothing to do now.")
    else:
        console.print("Nothing to do: the kernel is as it should be.")


def show_diff(answer: Json) -> None:
    """One line per row that is not as it should be."""
    rows = [
        (
            _state(one["state"]),
            Text(one["text"]),
            Text(one["kernel"] or "-") if one["state"] == "different" else Text("-"),
            *_published(one),
        )
        for one in answer["rows"]
    ]
    if rows:
        _print(("state", "row", "kernel has", "published by", "claimed"), rows)
    if answer["reason"]:
        _console().print(Text(f"Held back: {answer['reason']}", style="yellow"))
    for link in answer["in_the_way"]:
        _console().print(Text(f"in the way: {link}", style="yellow"))
    if not (rows or answer["in_the_way"]):
        _console().print(f"All {answer['right']} rows are as they should be.")


def show_explanation(answer: Json) -> None:
    """The way of a packet, a line per step."""
    console = _console()
    console.print(Text(f"{answer['address']} is {answer['meaning']}", style="bold"))
    rows = [
        (
            Text(one["step"]),
            _state(_state_of_step(one)),
            Text(one["kernel"] or one["desired"]),
            *_published(one),
        )
        for one in answer["steps"]
    ]
    if rows:
        _print(("step", "state", "row", "published by", "claimed"), rows)
    for one in answer["steps"]:
        if one["problem"]:
            text = f"{one['step']}: {one['problem']}; should be: {one['desired']}"
            console.print(Text(text, style="red"))
    agent = answer["agent"]
    if agent is not None:
        console.print(Text(f"{agent['name']} ({agent['node']}) is {agent['liveness']}"))
    for remark in answer["remarks"]:
        console.print(Text(remark, style="yellow"))


def _state_of_step(step: Json) -> str:
    if not step["problem"]:
        return "right"
    return "missing" if step["kernel"] is None else "different"


def show_examination(answer: Json) -> None:
    """What the doctor found, the worst first."""
    console = _console()
    for one in answer["findings"]:
        line = Text(one["level"], style=_STYLES.get(one["level"], ""))
        console.print(line.append(f"  {one['check']}: {one['problem']}", style="bold"))
        console.print(Text(f"    costs: {one['cost']}"))
        console.print(Text(f"    mend:  {one['remedy']}"))
    if not answer["findings"]:
        console.print("Nothing is wrong with this host.")
    if not answer["daemon"]:
        console.print(Text(_basis(answer), style="yellow"))
    console.print(Text(f"Looked at: {', '.join(answer['checked'])}", style="dim"))


def _basis(answer: Json) -> str:
    """What the doctor went by without a daemon, and what it could not look at."""
    text = f"No navstar answers: went by {answer['configuration'] or 'the defaults'}"
    if not answer["vteps"]:
        text += ", by which no VTEP is known; what one needs was not looked at"
    return f"{text}."


def _published(one: Json) -> tuple[Text, Text]:
    if one["publisher"] is None:
        return Text("-"), Text("-")
    return Text(one["publisher"]), Text(f"{duration(one['claimed_ago'])} ago")


def duration(seconds: float) -> str:
    """About how long, in the two largest units."""
    left = int(seconds)
    if left < 60:
        return f"{seconds:.1f} s"
    if left < 3600:
        return f"{left // 60} min {left % 60} s"
    if left < 86_400:
        return f"{left // 3600} h {left % 3600 // 60} min"
    return f"{left // 86_400} d {left % 86_400 // 3600} h"


def _facts(status: Json) -> Iterable[tuple[str, Text]]:
    node, source, rows = status["node"], status["source"], status["rows"]
    kernel, members = status["kernel"], status["members"]
    yield "state", _state(status["state"])
    yield "agent", Text(f"{node['name']}, {status['agent_ip'] or 'address unknown'}")
    yield "up for", Text(duration(status["uptime"]))
    yield "lashup", Text(f"{node['address']}, id {node['id']}")
    counts = (f"{count} {state}" for state, count in members.items() if count)
    yield "members", Text(", ".join(counts))
    synchronised = "synchronised" if status["kv_synchronised"] else "not synchronised"
    yield "table", Text(f"{status['lines']} lines, {synchronised}")
    refused = status["refused_datagrams"]
    if any(refused.values()):
        counts = (f"{n} {why.replace('_', ' ')}" for why, n in refused.items() if n)
        yield "datagrams refused", Text(", ".join(counts))
    yield "source", Text(source["origin"])
    for overlay in status["overlays"]:
        blocks = ", ".join(filter(None, (overlay["block"], overlay["block6"])))
        behind = ", ".join(overlay["bridges"])
        by = f"{overlay['vtep']}, bridges {behind}" if behind else overlay["vtep"]
        yield "overlay", Text(f"{overlay['name']}: {blocks} by {by}")
    yield "rows", Text(_rows(rows))
    counters = f"{kernel['writes']} writes in {kernel['passes']} passes"
    last = kernel["last_pass"]
    if last is not None:
        counters += f", the last {duration(last['ago'])} ago ({last['cause']})"
    yield "kernel", Text(counters)


def _rows(rows: Json) -> str:
    missing = f", {rows['missing']} missing" if rows["missing"] else ""
    return f"{rows['actual']} of ours, to {rows['agents']} agents{missing}"


def _complaints(status: Json) -> Iterable[tuple[str, Sequence[str]]]:
    source_fault, held = status["source"]["fault"], status["held"]
    last = status["kernel"]["last_pass"]
    yield "Source cannot be read", [source_fault] if source_fault else []
    yield "Last pass failed", [last["fault"]] if last and last["fault"] else []
    reason = f"{held['rows']} rows: {held['reason']}"
    yield "Withdrawal held back", [reason] if held["reason"] else []
    yield "Conflicts", status["conflicts"]
    yield "Foreign links in the way", status["in_the_way"]
    yield "Undone again and again", status["contested"]
    yield "Refused by the kernel", status["refused"]
    yield "Other VXLANs", status["other_vxlans"]
    yield "Skipped", status["skipped"]


def _state(state: str) -> Text:
    return Text(state, style=_STYLES.get(state, ""))


def _print(columns: Sequence[str], rows: Iterable[Sequence[Text]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def _console() -> Console:
    # In a pipe a line is a line, however long; only a terminal has a width.
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, width=10_000)
