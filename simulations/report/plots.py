"""The plots: convergence in time, membership in time, cost against cluster size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulations.conditions import Value
from simulations.measure import Curve, HeatMap, Metric
from simulations.report.drawing import COLOURS, INK, figure, svg_of
from simulations.results import summaries
from simulations.results.summary import Group

#: Points beyond which thin lines are drawn as a picture: as paths they would make
#: the page large and slow.
_VECTOR_POINTS = 6_000
#: Levels of the median curve.
_LEVELS = np.linspace(0.01, 1.0, 100)
#: A time axis is logarithmic where the last is so many times later than the middle.
_LONG_TAIL = 20
#: Costs are drawn on a logarithmic axis when they grow by more than this.
_MANY_FOLD = 8
#: Times are drawn in milliseconds when all are below so many seconds.
_SHORT = 0.2
#: Marks in a heat map beyond which their names are left out.
_MOST_MARKS = 8

_COSTS = (Metric.BYTES, Metric.DATAGRAMS, Metric.COPIES)
_TIMES = (
    Metric.DETECT_FIRST,
    Metric.DETECT_ALL,
    Metric.CONVERGE_50,
    Metric.CONVERGE_99,
    Metric.CONVERGE_ALL,
    Metric.HEAL,
)


@dataclass(frozen=True, slots=True)
class Series:
    """Groups that differ in nothing but the number of nodes, by rising number."""

    label: str
    groups: tuple[Group, ...]

    @property
    def nodes(self) -> list[int]:
        """How many nodes each has."""
        return [int(group.parameters["nodes"]) for group in self.groups]


def convergence(group: Group) -> str | None:
    """Every seed's curves, and in bold the median over the seeds."""
    curves: dict[str, list[Curve]] = {}
    for run in group.runs:
        for curve in run.curves:
            if curve.points:
                curves.setdefault(curve.name, []).append(curve)
    if not curves:
        return None
    with figure(9, 3.8) as drawn:
        axes = drawn.subplots()
        drawn_curves = [curve for each in curves.values() for curve in each]
        is_short = max(curve.points[-1][0] for curve in drawn_curves) < _SHORT
        unit, scale = ("milliseconds", 1000.0) if is_short else ("seconds", 1.0)
        for colour, (name, each) in zip(COLOURS, curves.items(), strict=False):
            _draw_curves(axes, each, name=name, colour=colour, scale=scale)
        _scale_time(axes, drawn_curves, scale=scale)
        axes.set(xlabel=f"{unit} since the event", ylabel="share of the nodes, %")
        axes.set_ylim(0, 103)
        axes.legend(loc="lower right")
        return svg_of(drawn, label=f"Convergence of {group.scenario} over time")


def heat_map(heat: HeatMap) -> str:
    """Who sees how many members live, in the course of time: a row for each node."""
    live = np.array(
        [[np.nan if n is None else n for n in row] for row in heat.live], dtype=float
    ).T
    with figure(9, 4.2) as drawn:
        axes = drawn.subplots()
        axes.grid(visible=False)
        shown = axes.imshow(
            live,
            aspect="auto",
            interpolation="nearest",
            cmap="viridis",
            vmin=0,
            vmax=len(heat.nodes),
            extent=(heat.times[0], heat.times[-1], len(heat.nodes), 0),
        )
        bar = drawn.colorbar(shown, ax=axes, pad=0.01)
        bar.set_label("members seen live")
        bar.ax.spines[:].set_visible(False)
        _draw_marks(axes, heat)
        axes.set(xlabel="virtual seconds", ylabel="node")
        return svg_of(drawn, label="Members that every node sees live over time")


def against_size(series: Sequence[Series]) -> str | None:
    """Cost and times against the number of nodes: medians, and bars to the worst."""
    found = [summaries(group.runs) for each in series for group in each.groups]
    costs = [m for m in _COSTS if any(m in summary for summary in found)]
    times = [m for m in _TIMES if any(m in summary for summary in found)]
    panels: list[tuple[str, list[Metric]]] = [(m.value, [m]) for m in costs[:2]]
    if times:
        panels.append(("seconds", times))
    if not panels:
        return None
    with figure(3.6 * len(panels) + 0.8, 3.6) as drawn:
        for axes, (label, metrics) in zip(
            _row(drawn, len(panels)), panels, strict=True
        ):
            _draw_sizes(axes, series, metrics)
            axes.set(xlabel="nodes", title=label)
            _scale_sizes(axes, sorted({n for each in series for n in each.nodes}))
        return svg_of(drawn, label="Cost and times against the number of nodes")


def series_of(groups: Sequence[Group]) -> list[Series]:
    """Groups of one scenario put together by all parameters but the nodes."""
    found: dict[tuple[tuple[str, Value], ...], list[Group]] = {}
    for group in groups:
        others = {k: v for k, v in group.parameters.items() if k != "nodes"}
        found.setdefault(tuple(sorted(others.items())), []).append(group)
    differing = _differing([dict(key) for key in found])
    return [
        Series(
            ", ".join(
                f"{k} {v:g}" if not isinstance(v, str) else f"{k} {v}"
                for k, v in key
                if k in differing
            ),
            tuple(sorted(each, key=lambda group: group.parameters["nodes"])),
        )
        for key, each in found.items()
    ]


def _differing(parameters: Sequence[Mapping[str, Value]]) -> set[str]:
    options = {option for each in parameters for option in each}
    return {o for o in options if len({each.get(o) for each in parameters}) > 1}


def _draw_curves(
    axes: Axes, curves: Sequence[Curve], *, name: str, colour: str, scale: float
) -> None:
    points = sum(len(curve.points) for curve in curves)
    alpha = max(0.12, min(0.6, 4 / len(curves)))
    for curve in curves:
        at, share = np.array([(0.0, 0.0), *curve.points]).T
        axes.step(
            at * scale,
            share * 100,
            where="post",
            color=colour,
            alpha=alpha,
            linewidth=0.8,
            rasterized=points > _VECTOR_POINTS,
        )
    medians = [_median_time(curves, level) for level in _LEVELS]
    reached = [
        (at, level)
        for at, level in zip(medians, _LEVELS, strict=True)
        if at is not None
    ]
    if reached:
        at, level = np.array(reached).T
        label = f"{name}: median of {len(curves)}" if len(curves) > 1 else name
        axes.step(
            at * scale,
            level * 100,
            where="post",
            color=colour,
            linewidth=2.4,
            label=label,
        )


def _median_time(curves: Sequence[Curve], share: float) -> float | None:
    """When half of the runs had reached a share; None if half never did."""
    times = [curve.time_of(share - 1e-9) for curve in curves]
    reached = [at for at in times if at is not None]
    if 2 * len(reached) <= len(curves):
        return None
    return median([*reached, *[float("inf")] * (len(curves) - len(reached))])


def _scale_time(axes: Axes, curves: Sequence[Curve], *, scale: float) -> None:
    last = max(curve.points[-1][0] for curve in curves)
    halves = [at for curve in curves if (at := curve.time_of(0.5)) is not None]
    middle = median(halves) if halves else last
    if 0 < middle < last / _LONG_TAIL:
        axes.set_xscale("log")
        axes.set_xlim(left=middle * scale / 10)
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(left=0)


def _draw_marks(axes: Axes, heat: HeatMap) -> None:
    for number, (at, what) in enumerate(heat.marks[:_MOST_MARKS]):
        axes.axvline(at, color="white", linewidth=1.2, linestyle=(0, (4, 3)))
        place: Any = (at, 1.01)
        axes.annotate(
            what,
            place,
            xycoords=("data", "axes fraction"),
            fontsize=9,
            color=INK,
            ha="left" if number % 2 == 0 else "center",
            va="bottom",
        )


def _draw_sizes(
    axes: Axes, series: Sequence[Series], metrics: Sequence[Metric]
) -> None:
    drawn = 0
    for each in series:
        for metric in metrics:
            points = [
                (nodes, found[metric])
                for nodes, group in zip(each.nodes, each.groups, strict=True)
                if metric in (found := summaries(group.runs))
            ]
            points = [(nodes, s) for nodes, s in points if s.median > 0]
            if not points:
                continue
            nodes = [n for n, _ in points]
            middle = np.array([s.median for _, s in points])
            worst = np.array([s.worst for _, s in points]) - middle
            many = metric.value if len(metrics) > 1 else ""
            axes.errorbar(
                nodes,
                middle,
                yerr=[np.zeros_like(worst), worst],
                marker="o",
                markersize=4,
                capsize=3,
                linewidth=1.5,
                color=COLOURS[drawn % len(COLOURS)],
                linestyle=("-", "--", ":")[drawn // len(COLOURS) % 3],
                label=" ".join(filter(None, (many, each.label))) or None,
            )
            drawn += 1
    if drawn > 1:
        axes.legend(fontsize=8)


def _scale_sizes(axes: Axes, nodes: Sequence[int]) -> None:
    """Sizes grow by factors; so do costs, where they grow much."""
    axes.set_xscale("log")
    axes.set_xticks(nodes, [f"{n:,}" for n in nodes])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
    least = min(float(y.min()) for y in lines)
    if high > _MANY_FOLD * least > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
    else:
        axes.set_ylim(0, high + (high - low) * 0.05)


def _row(drawn: Figure, count: int) -> list[Axes]:
    axes = drawn.subplots(1, count, squeeze=False)
    return list(axes[0])
