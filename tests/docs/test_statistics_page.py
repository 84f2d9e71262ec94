"""The page of statistics names every number there is."""

from __future__ import annotations

import re
from pathlib import Path

import trio

from lashup import NodeConfig, open_node

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "statistics.md"


def test_every_number_is_on_the_page():
    async def names() -> list[str]:
        async with open_node(NodeConfig(name="one")) as node:
            return list(node.statistics())

    page = PAGE.read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_A-Z]+)`", page))

    def is_told(name: str) -> bool:
        bare = name.removesuffix("_bytes")
        group, way, *kind = bare.split("_", 2)
        return (
            name in told
            or bare in told
            or (f"{group}_{way}_KIND" in told and set(kind) <= told)
            or bare.startswith("membership_round_trip_le_")
        )

    assert [name for name in trio.run(names) if not is_told(name)] == []
