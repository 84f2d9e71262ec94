"""Names have one packed form each, and whatever is written can be read by all."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt.field import (
    DEEPEST_NAME,
    Type,
    pack_key,
    pack_step,
    step_kind,
    step_name,
    step_untrusted,
    unpack_key_untrusted,
)
from lashup.errors import MalformedDatagram, UsageError
from tests.strategies import keys, names, values


@given(keys)
def test_a_key_comes_back_from_its_packed_form(key):
    assert unpack_key_untrusted(pack_key(key)) == key


@given(names, st.sampled_from(Type))
def test_a_step_comes_back_from_its_packed_form(name, kind):
    step = pack_step(name, kind)

    assert step_untrusted(step) == step
    assert step_kind(step) == kind
    assert step_name(step) == name


@given(keys, keys)
def test_unequal_keys_have_unequal_forms(one, two):
    assert (pack_key(one) == pack_key(two)) == (one == two)


@given(st.binary(max_size=40) | values.map(msgpack.packb))
def test_bytes_that_are_no_key_or_step_are_malformed(data):
    for read in (unpack_key_untrusted, step_untrusted):
        try:
            read(data)
        except MalformedDatagram:
            continue
    try:
        key = unpack_key_untrusted(data)
    except MalformedDatagram:
        return
    assert pack_key(key) == data


@pytest.mark.parametrize(
    "name", [True, 1.0, None, [1], {1}, 1 << 64, -(1 << 63) - 1, "\ud800", (1, True)]
)
def test_what_is_no_name_is_refused(name):
    pack_step(("x", 1), Type.MAP)  # equal to some of these, and remembered

    with pytest.raises(UsageError):
        pack_key((name,))
    with pytest.raises(UsageError):
        pack_step(name, Type.MAP)


@pytest.mark.parametrize("key", [(), "k", ["k"], None])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(UsageError):
        pack_key(key)


def test_a_name_as_deep_as_is_taken_is_read_by_all():
    name: object = "x"
    for _ in range(DEEPEST_NAME):
        name = (name,)
    key = (name,)

    assert unpack_key_untrusted(pack_key(key)) == key  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        pack_key(((name,),))  # type: ignore[arg-type]
    with pytest.raises(MalformedDatagram):
        unpack_key_untrusted(msgpack.packb(((name,),)))


def test_a_longer_form_of_the_same_key_is_malformed():
    packed = pack_key((1,))
    longer = packed[:1] + b"\xcd\x00\x01"  # the same 1, in two bytes
    assert msgpack.unpackb(longer) == [1]

    with pytest.raises(MalformedDatagram):
        unpack_key_untrusted(longer)
