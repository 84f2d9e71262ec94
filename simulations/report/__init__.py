"""One HTML page of what runs have found: no script, no network, light and dark."""

from simulations.report.page import write_report

__all__ = ["write_report"]
