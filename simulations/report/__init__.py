"""One HTML page of what runs have found: no script, no network, light and dark."""

from simulations.report.page import page_of, write_report

__all__ = ["page_of", "write_report"]
