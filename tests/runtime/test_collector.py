"""A growing table is taken out of the garbage collector's sight."""

import gc

import anyio
import pytest

from lashup import NodeConfig, map_field, open_node
from lashup.runtime.collector import STEP, Collector


@pytest.fixture(autouse=True)
def _thaw():
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_it_is_done_every_so_many_facts_and_not_between(monkeypatch):
    # Not by the count of what is frozen: it falls as others' objects die.
    calls: list[str] = []
    freeze, collect = gc.freeze, gc.collect

    def frozen() -> None:
        calls.append("freeze")
        freeze()

    def collected(oldest: int) -> None:
        calls.append(f"collect {oldest}")
        collect(oldest)

    monkeypatch.setattr(gc, "freeze", frozen)
    monkeypatch.setattr(gc, "collect", collected)
    collector = Collector()

    seen = []
    for facts in (STEP - 1, STEP, 2 * STEP - 1, 2 * STEP):
        collector.look(facts)
        seen.append(len(calls))

    assert seen == [0, 2, 2, 4]
    assert calls == ["collect 1", "freeze"] * 2
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize("wanted", [True, False])
def test_a_node_does_it_only_if_it_was_told_to(wanted):
    async def main():
        config = NodeConfig(name="a")
        async with open_node(config, freeze_table=wanted) as node:
            lines = [map_field("lines").register(n).assign(n) for n in range(STEP)]
            for at in range(0, STEP, 200):
                await node.kv.update(("a", str(at)), *lines[at : at + 200])
            # It looks when it is awake: at the latest after a second.
            with anyio.move_on_after(5.0 if wanted else 1.2):
                while not gc.get_freeze_count():  # noqa: ASYNC110  # of the process
                    await anyio.sleep(0.02)
            return gc.get_freeze_count()

    assert bool(anyio.run(main, backend="trio")) is wanted


def test_what_is_dropped_from_a_table_that_was_frozen_is_freed():
    class Weighed:
        freed = 0

        def __del__(self):
            Weighed.freed += 1

    table = {number: Weighed() for number in range(10)}
    Collector().look(STEP)
    del table[3]

    assert Weighed.freed == 1
