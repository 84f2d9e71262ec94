"""What a caller gets wrong is a UsageError that names it, and changes nothing."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from lashup import (
    LimitExceeded,
    MapView,
    NodeConfig,
    UsageError,
    add_wins_set,
    map_field,
    multi_value_register,
    open_node,
    register,
    remove_key,
)
from tests.runtime.loops import run
from tests.runtime.test_table import WEB


@pytest.mark.parametrize(
    "given",
    [register("port"), map_field("limits"), "port", None, [register("port").assign(1)]],
)
def test_what_is_no_operation_is_refused_with_the_others(
    backend: str, given: Any
) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match=r"is no operation.*assign"):
                await node.kv.update(WEB, register("x").assign(1), given)
            assert node.kv.get(WEB) == MapView()

    run(backend, main)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"expect": MapView()}, "expect"),
        ({"expect": 1}, "expect"),
        ({"wait": 1, "within": "5"}, "within"),
        ({"wait": 1, "within": math.nan}, "within"),
    ],
)
def test_a_wrong_argument_of_an_update_is_named(arguments: Any, named: str) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match=named):
                await node.kv.update(WEB, register("x").assign(1), **arguments)
            assert not node.kv.get(WEB)

    anyio.run(main)


@pytest.mark.parametrize("dump", [None, "dump", [b"dump"], memoryview(b"dump")])
def test_a_dump_is_bytes(dump: Any) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match="dump: must be bytes"):
                await node.kv.load(dump)

    anyio.run(main)


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**64, "\ud800", [1j]])
@pytest.mark.parametrize("field", [register("x"), multi_value_register("x")])
def test_a_value_that_cannot_be_stored_is_told_what_can(field: Any, value: Any) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match=r"register: .*; give None, booleans"):
                await node.kv.update(WEB, field.assign(value))

    anyio.run(main)


def test_what_is_too_much_for_one_update_is_told_to_make_several() -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            for first in (0, 600):
                elements = range(first, first + 600)
                await node.kv.update(WEB, add_wins_set("s").add(*elements))
            with pytest.raises(LimitExceeded, match="several updates"):
                await node.kv.update(WEB, remove_key())
            for first in (0, 600):
                elements = range(first, first + 600)
                await node.kv.update(WEB, add_wins_set("s").discard(*elements))
            assert not node.kv.get(WEB)

    anyio.run(main)


@pytest.mark.parametrize("topic", ["", None, 5, "t" * 65, "lashup/kv"])
def test_a_topic_that_nobody_can_send_to_is_not_listened_to(topic: Any) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match="topic"):
                async with node.listen(topic):
                    pass
            with pytest.raises(UsageError, match="topic"):
                await node.multicast(topic, b"x")

    anyio.run(main)


@pytest.mark.parametrize("given", [None, 5, "10.0.0.1:7946"])
def test_addresses_come_in_lists(given: Any) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match="seeds"):
                await node.join(given)
            with pytest.raises(UsageError, match="bind"):
                await node.move(given)

    anyio.run(main)


@pytest.mark.parametrize("given", [None, "one", b"short"])
def test_a_tree_begins_at_a_node(given: Any) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            with pytest.raises(UsageError, match="origin"):
                node.tree(given)

    anyio.run(main)
