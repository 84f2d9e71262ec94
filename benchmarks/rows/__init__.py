"""All benchmarks by name, in the order in which `run all` takes them."""

from __future__ import annotations

from benchmarks.row import Row
from benchmarks.rows import join_time, line_bytes, seal, writes

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        line_bytes.ROW,
        join_time.ROW,
        writes.WRITES,
        writes.GROUP_COMMIT,
        seal.ROW,
    )
}
