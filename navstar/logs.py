"""Structured logs on standard error: one line per decision, none per row."""

from __future__ import annotations

import logging
import sys
from types import ModuleType
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
    structlog = _structlog()
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


def _structlog() -> ModuleType:
    """structlog, brought in only here: 2 MB that only the daemon pays.

    It would bring rich along for tracebacks in colour, and with it 3 MB more that stay
    resident in every daemon and are never used.
    """
    absent = object()
    before = sys.modules.get("rich", absent)
    if before is absent:
        sys.modules["rich"] = None  # type: ignore[assignment]  # means: not there
    try:
        import structlog
    finally:
        if before is absent:
            del sys.modules["rich"]
    return structlog
