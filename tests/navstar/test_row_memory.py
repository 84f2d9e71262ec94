"""What is remembered of a table is what reading it anew would tell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from navstar.netlink_codec import AF_INET, NEIGHBOUR_HEADER, attribute
from navstar.row_memory import RowMemory, ageless

tables = st.lists(st.binary(max_size=2), max_size=5)


def read(body: bytes) -> int | None:
    """Some messages tell the same, and some tell nothing."""
    return sum(body) // 2 if sum(body) % 5 else None


@given(st.lists(tables | st.none()))
def test_rows_are_those_that_the_latest_messages_tell(history):
    memory: RowMemory[int] = RowMemory()

    for bodies in history:
        if bodies is None:
            memory.forget()
            continue
        told = {row for body in bodies if (row := read(body)) is not None}
        assert memory.rows(bodies, read) == told


@given(tables)
def test_the_same_messages_are_the_same_object_and_are_not_read_again(bodies):
    memory: RowMemory[int] = RowMemory()
    rows = memory.rows(bodies, read)

    def refuse(body: bytes) -> int | None:
        raise AssertionError(body)

    assert memory.rows(reversed(bodies), refuse) is rows


def neighbour(*attributes: tuple[int, bytes]) -> bytes:
    header = NEIGHBOUR_HEADER.pack(AF_INET, 7, 0x80, 0, 0)
    return header + b"".join(attribute(*one) for one in attributes)


values = st.binary(max_size=20)


@given(values, values, st.binary(min_size=16, max_size=16), values)
def test_only_the_age_of_a_neighbour_does_not_matter(to, mac, age, protocol):
    told = neighbour((1, to), (2, mac), (3, age), (12, protocol))

    assert ageless(told) == neighbour((1, to), (2, mac), (12, protocol))


@given(st.binary(max_size=60))
def test_whatever_comes_behind_the_header_nothing_is_raised(rest):
    header = NEIGHBOUR_HEADER.pack(AF_INET, 7, 0x80, 0, 0)

    assert (header + rest).startswith(ageless(header + rest)[:12])
