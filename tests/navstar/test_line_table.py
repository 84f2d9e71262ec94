"""The lines of the table, read when they change and not before."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lashup import MapView, map_field
from lashup.crdt.field import pack_key
from lashup.kv.store import Store
from navstar.line_codec import BadLine, key_of, line_untrusted, value_of
from navstar.line_table import STEP, LineTable
from tests.navstar.overlay_lines import SUBNET4, SUBNET6, line4, line6


class Table:
    """A store whose overlay keys are written and read."""

    def __init__(self) -> None:
        self.store = Store(hash_key=b"test", rng=random.Random(0))

    def write(self, key, vtep: str, node: str, value: object) -> None:
        place = map_field(vtep).register(node)
        operation = place.remove() if value is None else place.assign(value)
        write = self.store.write(key, [operation], wall=1.0)
        self.store.commit(write)

    def say(self, line) -> None:
        self.write(key_of(line.overlay), str(line.vtep), line.node, value_of(line))

    def view(self, key) -> MapView:
        return MapView(self.store.facts.branch(pack_key(key)))


KEYS = [key_of(SUBNET4), key_of(SUBNET6)]

writes = st.tuples(
    st.sampled_from([line4, line6]),
    st.integers(2, 5),
    st.sampled_from(["70:b3:d5:80:00:09", "hello", None]),
    st.booleans(),
)


def from_scratch(table: Table) -> set[object]:
    found: set[object] = set()
    for key in KEYS:
        for vtep, claims in table.view(key).maps().items():
            for node in claims.registers():
                stamped = claims.stamped(node)
                assert stamped is not None
                found.add(line_untrusted(key, vtep, node, stamped))
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(writes, max_size=12))
def test_whatever_was_read_before_the_lines_are_those_that_stand_there(history):
    table, lines = Table(), LineTable()

    for make, number, mac, gone in history:
        line = make(number)
        value = None if gone else value_of(line) | ({"mac": mac} if mac else {})
        table.write(key_of(line.overlay), str(line.vtep), line.node, value)
        lines.update(key_of(line.overlay), table.view(key_of(line.overlay)))

        assert {*lines.lines, *lines.bad_lines} == from_scratch(table)


def test_lines_that_did_not_change_are_the_same_objects():
    table, lines = Table(), LineTable()
    for number in (2, 3, 4):
        table.say(line4(number))
    lines.update(KEYS[0], table.view(KEYS[0]))
    before = {line.name: line for line in lines.lines}

    table.say(line4(3, mac="70:b3:d5:80:00:33"))
    lines.update(KEYS[0], table.view(KEYS[0]))

    after = {line.name: line for line in lines.lines}
    assert after["a2"] is before["a2"]
    assert after["a4"] is before["a4"]
    assert after["a3"].mac == "70:b3:d5:80:00:33"


def test_the_same_value_again_changes_nothing():
    table, lines = Table(), LineTable()
    table.say(line4(2))
    table.write(KEYS[0], "44.128.0.9/20", "no node", 3)
    lines.update(KEYS[0], table.view(KEYS[0]))
    before = lines.lines, lines.bad_lines

    lines.update(KEYS[0], table.view(KEYS[0]))

    assert lines.lines is before[0]
    assert lines.bad_lines is before[1]
    assert isinstance(before[1][0], BadLine)


def test_many_lines_are_read_in_steps_and_count_when_all_are_read():
    table, lines = Table(), LineTable()
    for number in range(2, 202):
        table.say(line4(number))

    steps = lines.steps_of_update(KEYS[0], table.view(KEYS[0]))
    next(steps)
    half_way = lines.lines
    pauses = 1 + sum(1 for _ in steps)

    assert half_way == ()
    assert len(lines.lines) == 200
    assert pauses == 200 // STEP
