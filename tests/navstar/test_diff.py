"""The laws of `diff`, against a kernel that does to rows what Linux does."""

from hypothesis import given, settings

from navstar.diff import Delete, Put, diff, needs_recreation, without_links
from navstar.tables import (
    Link,
    kernel_key,
    link_of,
)
from simulations.kernel import FakeKernel
from tests.navstar.example_rows import DEPTH, insertion_order
from tests.navstar.row_strategies import found_tables, names, wanted_tables


def kernel_with(rows) -> FakeKernel:
    return FakeKernel(insertion_order(rows))


@given(wanted_tables)
def test_nothing_is_to_be_done_when_the_kernel_already_agrees(rows):
    assert diff(rows, rows) == ()


@settings(max_examples=400)
@given(wanted_tables, found_tables)
def test_applying_the_difference_gives_what_is_desired(desired, actual):
    kernel = kernel_with(actual)

    applied = kernel.apply(diff(desired, actual))

    assert applied.refused == ()
    assert kernel.dump() == desired


@given(wanted_tables, found_tables)
def test_applying_the_difference_twice_is_like_applying_it_once(desired, actual):
    kernel = kernel_with(actual)
    ops = diff(desired, actual)

    kernel.apply(ops)
    again = kernel.apply(ops)

    assert again.refused == ()
    assert kernel.dump() == desired
    assert diff(desired, kernel.dump()) == ()


@given(wanted_tables, found_tables)
def test_what_a_row_needs_is_put_before_it_and_deleted_after_it(desired, actual):
    ops = diff(desired, actual)

    puts = [DEPTH[type(op.row)] for op in ops if isinstance(op, Put)]
    first_put = next((i for i, op in enumerate(ops) if isinstance(op, Put)), len(ops))
    late = [DEPTH[type(op.row)] for op in ops[first_put:] if isinstance(op, Delete)]

    assert puts == sorted(puts)
    if puts:
        assert late == sorted(late, reverse=True)


@given(wanted_tables, found_tables)
def test_a_row_whose_key_lives_on_is_replaced_and_never_deleted(desired, actual):
    lives_on = {kernel_key(row) for row in desired}
    wanted = {row.name: row for row in desired if isinstance(row, Link)}

    deleted = {op.row for op in diff(desired, actual) if isinstance(op, Delete)}

    for row in deleted:
        if isinstance(row, Link) and row.name in wanted:
            new = wanted[row.name]
            # Deleted because it cannot change, or holds another link's VXLAN.
            assert needs_recreation(row, new)
        else:
            assert kernel_key(row) not in lives_on


@given(wanted_tables, found_tables)
def test_rows_of_a_link_that_goes_need_no_delete_of_their_own(desired, actual):
    ops = diff(desired, actual)
    deleted = {op.row for op in ops if isinstance(op, Delete)}
    gone = {row.name for row in deleted if isinstance(row, Link)}

    assert not [
        row for row in deleted if not isinstance(row, Link) and link_of(row) in gone
    ]


@given(wanted_tables)
def test_everything_goes_with_nothing_desired(actual):
    kernel = kernel_with(actual)

    kernel.apply(diff(frozenset(), actual))

    assert kernel.dump() == frozenset()


@given(wanted_tables, names)
def test_leaving_a_link_out_leaves_out_all_that_is_on_it(rows, name):
    left = without_links(rows, {name})

    assert left == {row for row in rows if link_of(row) != name}


@given(wanted_tables)
def test_no_two_rows_read_the_same(rows):
    assert len({str(row) for row in rows}) == len(rows)
