"""What is kept of runs: records, a directory of them, summaries, tables of columns."""

from simulations.results.record import SCHEMA, Key, Record, key_of, thinned
from simulations.results.store import RUNS, Results, read_results
from simulations.results.summary import Summary, document, group, summaries

__all__ = [
    "RUNS",
    "SCHEMA",
    "Key",
    "Record",
    "Results",
    "Summary",
    "document",
    "group",
    "key_of",
    "read_results",
    "summaries",
    "thinned",
]
