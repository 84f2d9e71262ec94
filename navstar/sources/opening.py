"""The source that is configured, and what is done to whatever it says."""

from __future__ import annotations

import os
import random
from dataclasses import replace

from navstar.allocation import Allocation, Overlay
from navstar.config import AgentHttpSource as AgentHttpSection
from navstar.config import Config
from navstar.config import FileSource as FileSection
from navstar.sources import Source


def open_source(config: Config, *, rng: random.Random) -> Source:
    """Make the source; only what it needs is imported.

    Raises:
        Unusable: A file for its token or TLS cannot be used.
    """
    match config.source:
        case FileSection(path=path, poll_period=poll_period):
            from navstar.sources.file import FileSource

            return FileSource(path, poll_period=poll_period)
        case AgentHttpSection() as section:
            from navstar.sources.agent_http import AgentHttpSource
            from navstar.sources.kept_overlays import NAME as KEPT_OVERLAYS

            address = config.overlay.agent_ip or config.lashup.bind[0][0]
            user_agent = f"navstar@{address} (pid {os.getpid()})"
            return AgentHttpSource(
                section,
                kept=config.node.data_dir / KEPT_OVERLAYS,
                user_agent=user_agent,
                rng=rng,
            )


def without_ipv6(allocation: Allocation) -> Allocation:
    """What is left of an allocation where IPv6 is turned off."""
    overlays = (_without_ipv6(overlay) for overlay in allocation.overlays)
    in_use = tuple(overlay for overlay in overlays if overlay.subnet is not None)
    return replace(allocation, overlays=in_use)


def _without_ipv6(overlay: Overlay) -> Overlay:
    vtep = replace(overlay.vtep, address6=None)
    return replace(overlay, vtep=vtep, subnet6=None, block6=None)
