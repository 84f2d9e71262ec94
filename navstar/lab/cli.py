"""`navstar lab`: the commands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pyroute2.netlink.exceptions import NetlinkError
from rich.console import Console

from navstar.cli_options import FAILED, AsJson, fail
from navstar.errors import NavstarError
from navstar.lab import holder, privileges
from navstar.lab.demo import run_demo
from navstar.lab.demolition import leftovers, refuse_strangers, take_down
from navstar.lab.errors import NoSuchLab
from navstar.lab.interrupts import Interrupted, interruptible
from navstar.lab.laboratory import AtEnd, find_lab, leave_lab
from navstar.lab.onlooker import Onlooker
from navstar.lab.report import Report, lab_json, report_json, report_table
from navstar.lab.steps.reachability import check_reachability
from navstar.lab.topology import DEFAULT_PREFIX, Topology

app = typer.Typer(
    name="lab",
    help="A cluster on this machine: agents as network namespaces, real daemons.",
    no_args_is_help=True,
    add_completion=False,
)

PROGRAM = "navstar lab"

_LOG_WIDTH = 120

DEFAULT_AGENTS = 3
#: Two, so that one pair shares an agent and never leaves it.
DEFAULT_CONTAINERS = 2

Agents = Annotated[int, typer.Option("--agents", help="How many agents.")]
Containers = Annotated[
    int, typer.Option("--containers", help="Containers behind each agent.")
]
Prefix = Annotated[
    str, typer.Option("--prefix", help="Begins every name; labs of two stand apart.")
]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the lab up; `lab down` ends it.")
]


@app.command(epilog="Example: navstar lab run --agents 5 --json | jq .ok")
def run(
    agents: Agents = DEFAULT_AGENTS,
    containers: Containers = DEFAULT_CONTAINERS,
    prefix: Prefix = DEFAULT_PREFIX,
    *,
    as_json: AsJson = False,
    keep: Keep = False,
) -> None:
    """Bring a lab up, break it in seven ways, and clean up. Exit 0 if all holds."""
    left = "the lab stays up" if keep else "nothing of the lab is left"
    with _errors_told(left):
        topology = Topology(prefix, size=agents, containers=containers)
        options = [*(["--json"] if as_json else []), *(["--keep"] if keep else [])]
        privileges.become_able(_again("run", topology, *options))
        privileges.check_system()
        at_end = AtEnd.KEEP if keep else AtEnd.CLEAN
        with interruptible(), Onlooker() as onlooker:
            report = run_demo(topology, onlooker, at_end=at_end)
        _tell(report, as_json=as_json)


@app.command(epilog="Example: navstar lab up --agents 3 && navstar lab down")
def up(
    agents: Agents = DEFAULT_AGENTS,
    containers: Containers = DEFAULT_CONTAINERS,
    prefix: Prefix = DEFAULT_PREFIX,
    *,
    as_json: AsJson = False,
) -> None:
    """Bring a lab up and leave it there to look at."""
    with _errors_told():
        topology = Topology(prefix, size=agents, containers=containers)
        options = ["--json"] if as_json else []
        privileges.become_able(_again("up", topology, *options))
        privileges.check_system()
        with interruptible(), Onlooker() as onlooker:
            onlooker.doing(f"{agents} agents start and find each other")
            lab = leave_lab(topology)
        if as_json:
            typer.echo(json.dumps(lab_json(lab), indent=2))
            return
        console = _console()
        for agent in lab.agents:
            names = ", ".join(each.namespace for each in agent.containers)
            console.print(f"{agent.namespace} at {agent.underlay.ip}: {names}")
        look = holder.way_in(lab.record) + f"ip netns exec {lab.agents[0].namespace}"
        console.print(f"look inside: {look} ip route")
        console.print(f"end it:      navstar lab down --prefix {prefix}")


@app.command(epilog="Example: navstar lab check && echo every path answers")
def check(prefix: Prefix = DEFAULT_PREFIX, *, as_json: AsJson = False) -> None:
    """Ping every path of a lab that is up. Exit 0 if every one answers."""
    with _errors_told("the lab stays up"):
        options = ["--json"] if as_json else []
        holder.follow_into(prefix, ["lab", "check", "--prefix", prefix, *options])
        lab = find_lab(prefix)
        began_at = time.monotonic()
        with interruptible():
            reachability = check_reachability(lab)
        report = Report(
            prefix,
            len(lab.agents),
            lab.topology.containers,
            (reachability,),
            elapsed_s=time.monotonic() - began_at,
        )
        _tell(report, as_json=as_json)


@app.command(epilog="Example: navstar lab down --prefix nslab")
def down(prefix: Prefix = DEFAULT_PREFIX, *, as_json: AsJson = False) -> None:
    """End a lab, whoever left it: its processes, namespaces, links and files.

    Where there is none, nothing is done, and that is no error.
    """
    with _errors_told():
        options = ["--json"] if as_json else []
        try:
            holder.follow_into(prefix, ["lab", "down", "--prefix", prefix, *options])
            record, known = take_down(prefix)
        except NoSuchLab as none:
            refuse_strangers(prefix)
            left, text = [], f"{none.problem}: there is nothing to do"
        else:
            left = leftovers(record, known)
            text = f"lab {prefix} is down" + "".join(f"; left: {x}" for x in left)
        if as_json:
            typer.echo(json.dumps({"prefix": prefix, "left": left, "ok": not left}))
        else:
            typer.echo(text)
        if left:
            raise typer.Exit(FAILED)


def _again(command: str, topology: Topology, *options: str) -> list[str]:
    """The arguments of this command, for an execution elsewhere."""
    return [
        "lab",
        command,
        f"--prefix={topology.prefix}",
        f"--agents={topology.size}",
        f"--containers={topology.containers}",
        *options,
    ]


def _console() -> Console:
    """Standard output: as wide as the terminal, or as a table in a log needs."""
    console = Console(emoji=False)
    return console if console.is_terminal else Console(emoji=False, width=_LOG_WIDTH)


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report_json(report), indent=2))
    else:
        _console().print(report_table(report))
    if not report.ok:
        raise typer.Exit(FAILED)


@contextmanager
def _errors_told(left: str = "nothing of the lab is left") -> Iterator[None]:
    """Every expected end as a message and an exit code, without a traceback.

    Args:
        left: What is left after an interrupt.
    """
    try:
        yield
    except Interrupted as interrupt:
        code = 128 + interrupt.number
        fail(f"ended by {interrupt}; {left}", program=PROGRAM, code=code)
    except NavstarError as error:
        fail(str(error), program=PROGRAM)
    except NetlinkError as error:
        fail(f"the kernel refuses: {error}", program=PROGRAM)
    except OSError as error:
        fail(f"this host refuses: {error}", program=PROGRAM)
