"""What a run of the lab found: a line per claim, as a table and as JSON.

The JSON of `navstar lab run --json` is one object:

    agents      int     agents from the start; one more joins in between
    containers  int     behind each agent
    prefix      str     of the lab's names
    checks      list    in order, each:
        name      str     the claim
        ok        bool    whether it held
        goal      str     what had to be true of the figures
        figures   object  what was measured: name -> number, text, or object of numbers.
                          Names that end in _s are seconds. `error` is there, with
                          the reason, if the check could not be carried through.
    ok          bool    every check held
    elapsed_s   float   from the first namespace to the last look for leftovers

The figures of the checks, in their order. Names that begin with `pings`, `kernel` or
`rows`, and those without a unit, are counts; a duration that never ended is null.

    1  container_paths, container_paths_ok, agent_paths, agent_paths_ok,
       agents_with_strict_rp_filter, silent (names of paths)
    2  publish_to_first_ping_s, publish_to_all_families_s, start_to_synchronised_s,
       paths, paths_ok
    3  pings_sent, pings_lost, longest_outage_s, kernel_writes, kernel_events,
       kernel_differences, declared_down_s, restart_to_in_step_s, events (lines)
    4  outage_s, outages, pings_sent, pings_lost
    5  slowest_s, deleted_to_back_s (object: kind of row -> seconds or null)
    6  leave_to_gone_s, rows_of_it_before, rows_of_it_after, other_rows_touched,
       rows_left_on_itself, pings_lost_between_others
    7  planted, missing, own_rows_after_down
    8  leftovers, names
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

from navstar.lab.laboratory import Lab

Figure: TypeAlias = int | float | str | Mapping[str, float | None] | None


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, and whether it held.

    Attributes:
        name: The claim, as a sentence.
        ok: Whether it held.
        said: The figures in a few words, for the table.
        goal: What had to be true of them.
        figures: What was measured; see the module's text.
    """

    name: str
    ok: bool
    said: str
    goal: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    prefix: str
    agents: int
    containers: int
    checks: tuple[Check, ...]
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether there were claims and all of them held."""
        return bool(self.checks) and all(each.ok for each in self.checks)


def failed(name: str, goal: str, error: BaseException) -> Check:
    """A claim whose check could not be carried through."""
    reason = f"{error}" or type(error).__name__
    return Check(name, ok=False, said=reason, goal=goal, figures={"error": reason})


def report_json(report: Report) -> dict[str, object]:
    """The report in the documented form."""
    return {
        "agents": report.agents,
        "containers": report.containers,
        "prefix": report.prefix,
        "checks": [
            {
                "name": each.name,
                "ok": each.ok,
                "goal": each.goal,
                "figures": {
                    key: _rounded(value) for key, value in each.figures.items()
                },
            }
            for each in report.checks
        ],
        "ok": report.ok,
        "elapsed_s": round(report.elapsed_s, 1),
    }


def lab_json(lab: Lab) -> dict[str, object]:
    """A lab that is up, for `navstar lab up --json`: where everything is."""
    return {
        "prefix": lab.topology.prefix,
        "directory": str(lab.record.path),
        "fabric": lab.topology.fabric,
        "agents": [
            {
                "name": agent.name,
                "namespace": agent.namespace,
                "underlay": str(agent.underlay.ip),
                "underlay6": str(agent.underlay6.ip),
                "config": str(lab.record.path / agent.name / "config.toml"),
                "containers": [
                    {
                        "namespace": each.namespace,
                        "address": str(each.address.ip),
                        "address6": str(each.address6.ip),
                    }
                    for each in agent.containers
                ],
            }
            for agent in lab.agents
        ],
    }


def report_table(report: Report) -> Table:
    """The report for people."""
    table = Table(
        title=f"navstar lab: {report.agents} agents, "
        f"{report.containers} containers each",
        caption=f"{'every line holds' if report.ok else 'NOT every line holds'}, "
        f"{report.elapsed_s:.1f} s",
    )
    table.add_column("", justify="right")
    table.add_column("claim", max_width=48)
    table.add_column("figure", max_width=48)
    table.add_column("goal", max_width=28)
    table.add_column("ok")
    for number, each in enumerate(report.checks, start=1):
        table.add_row(str(number), each.name, Text(each.said), each.goal, verdict(each))
    return table


def verdict(check: Check) -> Text:
    """`ok` or `FAILED`, in colour."""
    return Text("ok", "green") if check.ok else Text("FAILED", "bold red")


def seconds(value: float | None) -> str:
    """A duration for people: in ms below one second."""
    if value is None or value == float("inf"):
        return "never"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _rounded(value: Figure) -> Figure:
    """To the tenth of a millisecond: more is noise. JSON has no infinity."""
    match value:
        case float():
            return round(value, 4) if value != float("inf") else None
        case Mapping():
            return {key: _rounded(each) for key, each in value.items()}  # type: ignore[misc]
        case _:
            return value
