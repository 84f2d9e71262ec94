"""All benchmarks by name, in the order in which `run all` takes them."""

from __future__ import annotations

from benchmarks.row import Row
from benchmarks.rows import join_time, seal

ROWS: dict[str, Row] = {row.name: row for row in (join_time.ROW, seal.ROW)}
