"""Keys replaced on a running cluster: real sockets, real disks."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

from lashup import (
    LOCAL,
    ConfigError,
    KeysDiffer,
    Liveness,
    NodeConfig,
    UsageError,
    key_id_of,
    open_node,
    register,
)
from tests.runtime.loops import run
from tests.runtime.test_agent import KEY, cluster, live, until

NEW = bytes(range(7, 39))
OLD_ID, NEW_ID = key_id_of(KEY), key_id_of(NEW)
WEB = ("services", "web")


def config(name, *seeds, data_dir=None, keys=(KEY,)):
    return NodeConfig(
        name=name, seeds=[seed.address for seed in seeds], keys=keys,
        data_dir=data_dir, membership=LOCAL,
    )  # fmt: skip


def test_a_key_is_replaced_while_the_cluster_works(backend):
    async def main():
        async with cluster(3) as (one, two, three):
            shown = await one.keys.show()
            assert shown.is_complete
            assert shown.keys.keys() == {one.id, two.id, three.id}
            assert shown.lacking(NEW_ID) == tuple(shown.keys)

            installed = await one.keys.install(NEW)
            assert not installed.lacking(NEW_ID)
            assert set(installed.sealing_with(OLD_ID)) == {one.id, two.id, three.id}
            used = await two.keys.use(NEW_ID)
            assert set(used.sealing_with(NEW_ID)) == {one.id, two.id, three.id}
            removed = await three.keys.remove(OLD_ID)
            assert set(removed.lacking(OLD_ID)) == {one.id, two.id, three.id}

            await one.kv.update(WEB, register("port").assign(8080))
            await until(lambda: three.kv.get(WEB).register("port") == 8080)
            assert all(live(node) == 3 for node in (one, two, three))
            async with open_node(config("late", one, keys=(NEW,))) as late:
                await until(lambda: live(late) == 4)

    run(backend, main)


def test_what_would_lock_somebody_out_is_refused_and_names_it(backend):
    async def main():
        async with cluster(2) as (one, two):
            with pytest.raises(KeysDiffer, match="n0, n1"):
                await one.keys.use(NEW_ID)
            with pytest.raises(UsageError, match="32 bytes"):
                await one.keys.install(b"short")
            with pytest.raises(UsageError, match="use another one first"):
                await one.keys.remove(OLD_ID, leave_behind=True)
            await one.keys.install(NEW)
            with pytest.raises(KeysDiffer, match="n1"):
                await one.keys.remove(OLD_ID)
            assert (await two.keys.show()).sealing_with(OLD_ID)

    run(backend, main)


@pytest.mark.parametrize("given", [KEY, b"", OLD_ID.hex(), None])
def test_what_is_no_key_id_is_refused_before_anybody_is_told_and_not_shown(
    backend, given
):
    async def main():
        async with cluster(1) as (one,):
            for order in (one.keys.use, one.keys.remove):
                with pytest.raises(UsageError, match="key_id_of") as caught:
                    await order(given, leave_behind=True)
                assert KEY.hex() not in str(caught.value)

    run(backend, main)


@pytest.mark.parametrize("given", [b"short", KEY.hex(), None])
def test_what_is_no_key_has_no_id(given):
    with pytest.raises(UsageError, match="a key is 32 bytes"):
        key_id_of(given)


def test_keys_are_replaced_with_one_node_offline_and_nobody_is_locked_out(tmp_path):
    async def main():
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(open_node(config("one")))
            two = await stack.enter_async_context(open_node(config("two", one)))
            directory = tmp_path / "away"
            async with open_node(config("away", one, data_dir=directory)) as away:
                await until(lambda: live(one) == live(away) == 3)
            await until(lambda: _state(one, "away") is Liveness.DOWN)

            installed = await one.keys.install(NEW)
            assert [member.name for member in installed.missing] == ["away"]
            with pytest.raises(KeysDiffer, match="away \\(down, no answer\\)"):
                await one.keys.use(NEW_ID)
            # Somebody insists; the one who is away lacks the key the others seal with.
            await one.keys.use(NEW_ID, leave_behind=True)
            with pytest.raises(KeysDiffer, match="away"):
                await one.keys.remove(OLD_ID)

            async with open_node(config("away", one, data_dir=directory)) as away:
                # It hears orders, which are sealed under every key, and is told.
                await _until_complete(lambda: one.keys.install(NEW))
                await until(lambda: live(away) == 3)
                await _until_complete(lambda: one.keys.use(NEW_ID))
                removed = await one.keys.remove(OLD_ID)
                assert removed.is_complete
            # What it was told holds after a restart, though its configuration is old.
            async with open_node(config("away", one, data_dir=directory)) as away:
                await until(lambda: live(away) == 3)
                shown = await two.keys.show()
                assert shown.keys[away.id].keys == (NEW_ID,)

    run("trio", main)


def _state(node, name):
    return next(m.liveness for m in node.members() if m.name == name)


async def _until_complete(order):
    with anyio.fail_after(10):
        while not (await order()).is_complete:
            pass


@pytest.mark.parametrize("within", [float("nan"), "5", None])
def test_a_time_that_is_none_is_refused_before_any_ring_has_changed(within):
    async def main():
        async with open_node(config("a")) as a:
            with pytest.raises(ConfigError, match="within"):
                await a.keys.install(NEW, within=within)

            assert (await a.keys.show()).lacking(NEW_ID) == (a.id,)

    run("trio", main)
