"""All benchmarks by name, in the order in which `run all` takes them."""

from __future__ import annotations

from benchmarks.row import Row
from benchmarks.rows import (
    bootstrap,
    cluster_rows,
    coming_back,
    detection,
    differences,
    fact_memory,
    half_lost,
    join_time,
    kernel_rows,
    line_bytes,
    repair,
    running_nodes,
    seal,
    slow_subscriber,
    spreading,
    visible,
    writes,
)

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        line_bytes.ROW,
        join_time.ROW,
        fact_memory.ROW,
        visible.ROW,
        writes.WRITES,
        writes.GROUP_COMMIT,
        bootstrap.ROW,
        differences.ONE,
        differences.HUNDRED,
        half_lost.ROW,
        slow_subscriber.ROW,
        seal.ROW,
        kernel_rows.PROGRAM,
        kernel_rows.AUDIT,
        kernel_rows.CHANGE_TO_ROW,
        cluster_rows.PUBLISH_TO_ALL,
        cluster_rows.DAEMON_REST,
        repair.ROW,
        detection.SILENT,
        running_nodes.PROCESS,
        detection.STALLS,
        detection.LOSS,
        running_nodes.JOIN,
        coming_back.TAKEOVER,
        coming_back.RESTART,
        coming_back.HEAL,
        spreading.TAGS,
        spreading.MULTICAST,
        running_nodes.REST,
        running_nodes.REST_SCALE,
    )
}
