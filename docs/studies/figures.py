"""Draws the figures of docs/studies from directories of results.

    python docs/studies/figures.py results-partition docs/studies

The pictures are the report's, with colours of their own for light and dark pages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from simulations.measure import Metric
from simulations.model import MODELS
from simulations.report import plots
from simulations.report.drawing import COLOURS, figure, svg_of
from simulations.results import group, read_results, summaries
from simulations.results.summary import Group

_STYLE = (
    "<style>svg { color: #1d2126; font-family: sans-serif } "
    "@media (prefers-color-scheme: dark) { svg { color: #e4e7eb } }</style>"
)
#: Sizes at which only the model can be asked.
_MODELLED = (20, 50, 100, 200, 500, 1_000, 3_000, 10_000, 30_000, 100_000)
_SEEDS = 20


def main(results: Path, output: Path) -> None:
    """Draw all figures of the study of partitions."""
    groups = group(read_results(results))
    by_size = {(g.parameters["nodes"], g.parameters["loss"]): g for g in groups}
    _write(plots.convergence(by_size[100, 0.05]), output / "partition-convergence.svg")
    run = next(r for r in by_size[100, 0.0].runs if r.heat_map is not None)
    if run.heat_map is not None:
        _write(plots.heat_map(run.heat_map), output / "partition-heat-map.svg")
    _write(_against_model(groups), output / "partition-sizes.svg")


def _against_model(groups: Sequence[Group]) -> str:
    metric = Metric.HEAL_MEMBERS
    model = MODELS["partition"]
    modelled = [
        median(
            model.run({"nodes": n}, seed=seed).metrics[metric]
            for seed in range(1, _SEEDS + 1)
        )
        for n in _MODELLED
    ]
    with figure(9, 4) as drawn:
        axes = drawn.subplots()
        for series, colour in zip(plots.series_of(groups), COLOURS, strict=False):
            found = [summaries(each.runs)[metric] for each in series.groups]
            axes.plot(
                series.nodes,
                [each.median for each in found],
                "o-",
                color=colour,
                label=f"exact, {series.label}",
            )
        axes.plot(_MODELLED, modelled, "s--", color=COLOURS[4], label="model, loss 0")
        axes.set(xscale="log", yscale="log", xlabel="nodes")
        axes.set_ylabel("seconds until members are equal")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.legend()
        return svg_of(drawn, label="Seconds to heal against the number of nodes")


def _write(svg: str | None, path: Path) -> None:
    if svg is not None:
        end = svg.index(">") + 1
        path.write_text(f"{svg[:end]}{_STYLE}{svg[end:]}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
