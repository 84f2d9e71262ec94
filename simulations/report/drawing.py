"""From a matplotlib figure to SVG that lives inside a page, light or dark.

What is ink (axes, ticks, texts) takes the page's own colour; what is data has
colours that can be told apart on both grounds.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

#: Of data series: they keep apart on white and on black, and for the colour-blind.
COLOURS = ("#2f81d7", "#e0762f", "#2f9e6e", "#b464d0", "#c99a1c", "#d6517d")

#: Drawn as ink; `svg_of` makes the page's colour of it. No data has it.
INK = "#010203"

# Any: the settings' names are a type that differs between versions of matplotlib.
_STYLE: Any = {
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "axes.prop_cycle": cycler(color=COLOURS),
}

_numbers = count(1)


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of so many inches in the style of the page."""
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def svg_of(drawn: Figure, *, label: str) -> str:
    """The figure as an element for a page; `label` for those who cannot see it."""
    number = next(_numbers)
    buffer = io.StringIO()
    style: Any = {**_STYLE, "svg.hashsalt": str(number)}
    with mpl.rc_context(style):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Several figures in one page: their ids must differ.
    text = re.sub(r'\bid="', f'id="f{number}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#f{number}-", text)
    text = text.replace(INK, "currentColor")
    quoted = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return text.replace("<svg", f'<svg role="img" aria-label="{quoted}"', 1)
