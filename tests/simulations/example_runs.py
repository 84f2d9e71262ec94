"""Outcomes that nobody had to simulate: their values are easy to check by hand."""

from __future__ import annotations

from simulations.campaign.task import all_parameters
from simulations.measure import Curve, HeatMap, Metric
from simulations.results import Record
from simulations.scenario import Outcome
from simulations.scenarios import SCENARIOS


def outcome(
    seed: int,
    *,
    nodes: int = 4,
    scenario: str = "partition",
    loss: float = 0.0,
    metrics: dict[Metric, float] | None = None,
    violations: tuple[str, ...] = (),
) -> Outcome:
    """A run of a partition of four nodes: open at 10 s, healed at 30 s."""
    parameters = all_parameters(scenario, {"nodes": nodes, "loss": loss})
    found = {Metric.HEAL: 1.0 + seed, Metric.BYTES: 100.0 * nodes}
    return Outcome(
        scenario=scenario,
        parameters=parameters,
        seed=seed,
        metrics=found if metrics is None else metrics,
        curves=(
            Curve(
                "has it", tuple((0.1 * i * seed, i / nodes) for i in range(nodes + 1))
            ),
        ),
        heat_map=HeatMap(
            nodes=tuple(f"n{i}" for i in range(nodes)),
            times=(0.0, 10.0, 20.0, 30.0),
            live=(
                (nodes,) * nodes,
                (nodes,) * nodes,
                (2,) * (nodes - 1) + (None,),
                (nodes,) * nodes,
            ),
            marks=((10.0, "split"), (30.0, "heal")),
        ),
        violations=violations,
        command=SCENARIOS[scenario].command(parameters, seed=seed),
        trace_sha256=f"{seed:064x}",
        virtual_s=40.0,
        wall_s=0.5,
        peak_rss_bytes=30_000_000,
    )


def record(
    seed: int, *, code: str = "c0de", nodes: int = 4, loss: float = 0.0
) -> Record:
    """The same as it is kept."""
    return Record(outcome(seed, nodes=nodes, loss=loss), code)
