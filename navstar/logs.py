"""Structured logs on standard error: one line per decision, none per row."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from navstar.config import LogSection

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor


def open_log(section: LogSection, *, node: str) -> FilteringBoundLogger:
    """Make the daemon's logger.

    Args:
        section: Level and form.
        node: The agent's name, in every line.
    """
    import structlog  # 20 MB and 0.1 s that only the daemon pays

    level = logging.getLevelNamesMapping()[section.level.upper()]
    renderer: Processor
    if section.format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
        node=node,
    )
    return log
