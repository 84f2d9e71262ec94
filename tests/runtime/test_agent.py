"""The public API on real sockets, on both event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import lashup
from lashup import (
    ANY,
    LOCAL,
    Failed,
    Joined,
    KeyChanged,
    Left,
    LimitExceeded,
    Liveness,
    MapView,
    NodeClosed,
    NodeConfig,
    Reach,
    RunningNode,
    StorageError,
    add_wins_set,
    map_field,
    open_node,
    register,
    remove_key,
)
from lashup.machine import Persist
from lashup.runtime.memory_storage import MemoryStorage
from tests.runtime.loops import run

KEY = bytes(range(32))
WEB = ("services", "web")


def config(name: str, *seeds: RunningNode, data_dir: Path | None = None) -> NodeConfig:
    return NodeConfig(
        name=name,
        seeds=[seed.address for seed in seeds],
        keys=[KEY],
        data_dir=data_dir,
        membership=LOCAL,
    )


@asynccontextmanager
async def cluster(size: int) -> AsyncIterator[list[RunningNode]]:
    """Some nodes that all know each other."""
    async with AsyncExitStack() as stack:
        nodes: list[RunningNode] = []
        for n in range(size):
            node = await stack.enter_async_context(
                open_node(config(f"n{n}", *nodes[:1]))
            )
            nodes.append(node)
        await until(lambda: all(live(node) == size for node in nodes))
        yield nodes


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        # Looks at several nodes at once, so no one node can tell when.
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)


def live(node: RunningNode) -> int:
    return sum(member.liveness.is_live for member in node.members())


def test_a_write_on_one_node_is_read_on_every_other(backend: str) -> None:
    async def main() -> None:
        async with cluster(3) as (a, b, c):
            value = await a.kv.update(
                WEB,
                register("port").assign(8080),
                add_wins_set("tags").add("blue"),
                map_field("limits").register("cpu").assign(4),
            )

            await until(lambda: bool(b.kv.get(WEB)) and bool(c.kv.get(WEB)))

            expected = {"port": 8080, "tags": ["blue"], "limits": {"cpu": 4}}
            assert value.plain() == expected
            assert b.kv.get(WEB) == c.kv.get(WEB) == value

    run(backend, main)


def test_what_a_node_wrote_just_before_its_end_is_told(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            async with open_node(config("b", a)) as b:
                await until(lambda: live(a) == live(b) == 2)
                for count in range(20):
                    await b.kv.update(WEB, register("n").assign(count))

            await a.wait_until(lambda: a.kv.get(WEB).register("n") == 19)

    run(backend, main)


def test_a_subscriber_gets_present_values_and_then_changes(backend: str) -> None:
    async def main() -> None:
        async with cluster(2) as (a, b):
            await a.kv.update(WEB, register("port").assign(1))
            await until(lambda: bool(b.kv.get(WEB)))
            async with b.kv.subscribe(("services", ANY)) as changes:
                first = await anext(changes)
                await a.kv.update(("other", "key"), register("x").assign(1))
                await a.kv.update(WEB, register("port").assign(2))
                second = await anext(changes)
                await a.kv.update(WEB, remove_key())
                third = await anext(changes)

            assert [c.key for c in (first, second, third)] == [WEB] * 3
            assert ports(first) == (None, 1)
            assert ports(second) == (1, 2)
            assert third.new == MapView()

    run(backend, main)


def test_a_subscriber_that_was_cancelled_has_lost_no_change(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a, a.kv.subscribe() as changes:
            await a.kv.update(WEB, register("port").assign(1))
            with anyio.move_on_after(0):
                await anext(changes)

            assert ports(await anext(changes)) == (None, 1)

    run(backend, main)


def test_tasks_that_share_a_subscription_or_a_feed_all_get_on(backend: str) -> None:
    async def main() -> None:
        taken: list[object] = []

        async def take(source: AsyncIterator[object]) -> None:
            taken.extend([one async for one in source])

        async with (
            open_node(config("a")) as a,
            anyio.create_task_group() as tasks,
            a.kv.subscribe() as changes,
            a.events() as events,
        ):
            for source in (changes, events):
                for _ in range(3):
                    tasks.start_soon(take, source)
            await anyio.wait_all_tasks_blocked()
            for n in range(3):
                await a.kv.update(("k", n), register("n").assign(n))
                a._events.send(n)

        # Their contexts have ended, and with these all six of them.
        keys = [one.key for one in taken if isinstance(one, KeyChanged)]
        assert sorted(keys) == [("k", 0), ("k", 1), ("k", 2)]
        assert {0, 1, 2} <= {one for one in taken if not isinstance(one, KeyChanged)}

    run(backend, main)


def ports(change: KeyChanged) -> tuple[object, object]:
    return change.old.register("port"), change.new.register("port")


def test_a_node_that_comes_late_gets_all_that_was_written_before(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            for n in range(200):
                await a.kv.update(("line", n), register("value").assign("x" * n))
            async with open_node(config("b", a)) as b:
                await b.kv.wait_synchronised()

                assert len(b.kv.keys(("line", ...))) == 200
                assert b.kv.get(("line", 150)) == a.kv.get(("line", 150))

    run(backend, main)


def test_a_node_comes_back_as_itself_with_all_it_had_acknowledged(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(config("a", data_dir=tmp_path)) as a:
            await a.kv.update(WEB, register("port").assign(8080))
            before = a.id
        async with open_node(config("a", data_dir=tmp_path)) as a:
            assert a.id == before
            assert a.kv.get(WEB).register("port") == 8080

    run(backend, main)


def test_a_second_node_on_one_data_directory_is_refused(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(config("a", data_dir=tmp_path)):
            with pytest.raises(StorageError, match=str(tmp_path)):
                async with open_node(config("b", data_dir=tmp_path)):
                    pass

    run(backend, main)


def test_leaving_is_told_apart_from_failing(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a, a.events() as events:
            async with open_node(config("b", a)) as b:
                joined = await anext(events)
                await b.leave()
                left = await anext(events)
            async with open_node(config("c", a)) as c:
                await until(lambda: live(a) == 2)
                gone = c.id
            await until(lambda: live(a) == 1)

            assert isinstance(joined, Joined)
            assert isinstance(left, Left)
            states = {m.id: m.liveness for m in a.members()}
            assert states[left.member.id] == Liveness.LEFT
            assert states[gone] == Liveness.DOWN

    run(backend, main)


def test_a_crash_is_noticed_by_all_who_are_left(backend: str) -> None:
    async def main() -> None:
        async with cluster(2) as (a, b), a.events() as at_a, b.events() as at_b:
            async with open_node(config("c", a)) as c:
                await until(lambda: live(a) == live(b) == 3)
                gone = c.id
            for events in (at_a, at_b):
                async for event in events:
                    if isinstance(event, Failed):
                        assert event.member.id == gone
                        break

    run(backend, main)


def test_a_multicast_reaches_every_listener_once(backend: str) -> None:
    async def main() -> None:
        async with cluster(4) as (a, b, c, d), AsyncExitStack() as stack:
            feeds = [
                await stack.enter_async_context(node.listen("news"))
                for node in (b, c, d)
            ]
            await a.multicast("news", b"one")
            await a.multicast("news", b"two" * 5_000)  # more than a datagram

            for feed in feeds:
                heard = [await anext(feed), await anext(feed)]
                assert {getattr(h, "payload", None) for h in heard} == {
                    b"one",
                    b"two" * 5_000,
                }
                assert {getattr(h, "origin", None) for h in heard} == {a.id}

    run(backend, main)


def test_members_say_how_each_is_reached(backend: str) -> None:
    async def main() -> None:
        async with cluster(2) as (a, b):
            await a.wait_until(lambda: bool(a.reachability()))

            reached = {member.id: member.reachability for member in a.members()}

            found = reached[b.id]
            assert found is not None
            assert {member.id for member in a.live_members()} == {a.id, b.id}
            assert found.reach is Reach.DIRECT
            assert found.round_trip == a.reachability()[b.id].round_trip
            assert reached[a.id] is None

    run(backend, main)


def test_a_topic_of_ours_is_refused_to_users(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            with pytest.raises(lashup.UsageError, match="lashup/"):
                await a.multicast("lashup/kv", b"no delta")
            with pytest.raises(lashup.UsageError, match="another name"):
                await a.multicast("", b"no delta")

    run(backend, main)


def test_a_write_that_is_too_large_changes_nothing(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            with pytest.raises(LimitExceeded, match="value"):
                await a.kv.update(WEB, register("blob").assign(b"x" * 100_000))

            assert not a.kv.get(WEB)

    run(backend, main)


def test_an_error_of_the_user_is_not_wrapped(backend: str) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with open_node(config("a")):
                1 / 0  # noqa: B018

    run(backend, main)


def test_a_group_of_errors_of_the_user_comes_out_as_it_was_raised(
    backend: str,
) -> None:
    error = ZeroDivisionError()

    async def main() -> None:
        with pytest.raises(ExceptionGroup, match="the user's") as caught:
            async with open_node(config("a")):
                raise ExceptionGroup("the user's", [error])

        assert caught.value.exceptions == (error,)

    run(backend, main)


def test_a_disk_that_fails_stops_the_node_with_its_error(backend: str) -> None:
    class Failing(MemoryStorage):
        commits = 0

        def commit(self, batch: Sequence[Persist]) -> None:
            self.commits += 1
            if self.commits > 1:
                raise StorageError("lashup.db: disk full")

    async def main() -> None:
        with pytest.raises(StorageError, match="disk full"):
            async with open_node(config("a"), storage=Failing()) as a:
                await a.kv.update(WEB, register("port").assign(1))

    run(backend, main)


def test_calls_after_the_end_are_refused(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            pass
        with pytest.raises(NodeClosed):
            await a.kv.update(WEB, register("port").assign(1))
        with pytest.raises(NodeClosed):
            await a.leave()
        for follow in (a.events(), a.listen("news"), a.kv.subscribe()):
            with pytest.raises(NodeClosed):
                await follow.__aenter__()

    run(backend, main)


@pytest.mark.parametrize("seed", [("localhost", 7946), ("127.0.0.1", 99_999)])
def test_a_seed_that_is_no_address_is_refused_and_the_node_goes_on(
    seed: tuple[str, int], backend: str
) -> None:
    async def main() -> None:
        async with cluster(2) as (a, b):
            with pytest.raises(lashup.ConfigError, match="seeds"):
                await a.join([seed])
            await a.kv.update(WEB, register("port").assign(1))
            await until(lambda: bool(b.kv.get(WEB)))

    run(backend, main)


def test_nodes_with_different_keys_or_clusters_never_meet(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            stranger = NodeConfig(
                name="b", seeds=[a.address], keys=[bytes(32)], membership=LOCAL
            )
            other = NodeConfig(
                name="c",
                seeds=[a.address],
                keys=[KEY],
                cluster="other",
                membership=LOCAL,
            )
            async with open_node(stranger) as b, open_node(other) as c:
                await until(lambda: a.statistics()["seal_unknown_key"] > 0)
                await until(lambda: a.statistics()["seal_forged"] > 0)

                assert live(a) == live(b) == live(c) == 1

    run(backend, main)


def test_a_node_that_has_left_writes_nothing_more(backend: str) -> None:
    async def main() -> None:
        async with cluster(2) as (a, b):
            await b.leave()

            with pytest.raises(NodeClosed, match="left"):
                await b.kv.update(WEB, register("port").assign(1))
            with pytest.raises(NodeClosed, match="left"):
                await b.multicast("news", b"late")
            with pytest.raises(NodeClosed, match="left"):
                await b.join([a.address])
            assert not a.kv.get(WEB)

    run(backend, main)


@pytest.mark.parametrize("payload", ["text", 5, None])
def test_a_multicast_takes_bytes_only(payload: Any) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            with pytest.raises(lashup.UsageError, match="bytes"):
                await a.multicast("news", payload)

    run("trio", main)


def test_an_update_without_an_operation_is_a_mistake() -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            with pytest.raises(lashup.UsageError, match="operation"):
                await a.kv.update(WEB)

    run("trio", main)
