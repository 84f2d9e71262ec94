"""Laws of reading what strangers wrote."""

import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lashup.errors import MalformedDatagram, UsageError
from lashup.wire import readers

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
plain_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(max_size=5) | st.binary(max_size=5), inner, max_size=4
        )
    ),
    max_leaves=25,
)
# Bytes that begin like msgpack containers go further than uniformly random ones.
hostile = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [bytes((b,)) for b in (*range(0x80, 0xA0), *range(0xC0, 0xE0), 255)]
    )
    | st.binary(max_size=4),
    max_size=60,
).map(b"".join)

READERS = (
    lambda v: readers.fields_untrusted(v, 1),
    readers.natural_untrusted,
    lambda v: readers.bytes_untrusted(v, None),
    lambda v: readers.bytes_untrusted(v, 3),
    lambda v: readers.bytes_untrusted(v, range(2)),
    readers.text_untrusted,
    readers.address_untrusted,
    readers.node_id_untrusted,
)


@given(plain_values)
def test_what_was_packed_is_unpacked_again(value):
    assert readers.unpack_untrusted(readers.pack(value)) == value


@given(hostile)
@example(b"")
@example(b"\x91" * 2000)
@example(b"\x81\x90\x01")  # a list as a map key
@example(b"\x81\x80\x01")  # a map as a map key
@example(b"\xdd\xff\xff\xff\xff")  # a list that announces 2^32 entries
@example(b"\xa1\xff")  # text that is not UTF-8
@example(b"\xd9\xff")
def test_any_bytes_unpack_to_plain_values_or_are_malformed(data):
    try:
        value = readers.unpack_untrusted(data)
    except MalformedDatagram:
        return

    assert plain(value)


def plain(value):
    match value:
        case list():
            return all(map(plain, value))
        case dict():
            return all(map(plain, value.keys())) and all(map(plain, value.values()))
        case _:
            return type(value) in {bool, int, float, str, bytes, type(None)}


@given(plain_values, st.data())
def test_a_truncated_message_is_malformed(value, data):
    packed = readers.pack(value)
    cut = data.draw(st.integers(0, len(packed) - 1))

    with pytest.raises(MalformedDatagram):
        readers.unpack_untrusted(packed[:cut])


@given(plain_values, st.binary(min_size=1, max_size=5))
def test_bytes_after_the_message_make_it_malformed(value, rest):
    with pytest.raises(MalformedDatagram):
        readers.unpack_untrusted(readers.pack(value) + rest)


@pytest.mark.parametrize(
    "extension",
    [
        b"\xd6\xff" + bytes(4),  # the three timestamps of msgpack
        b"\xd7\xff" + bytes(8),
        b"\xc7\x0c\xff" + bytes(12),
        b"\xc8\x00\x0c\xff" + bytes(12),
        b"\xd4\x05x",
    ],
)
@pytest.mark.parametrize("around", [b"", b"\x91", b"\x81\x01", b"\x91\x81\x01\x91"])
def test_extension_types_are_malformed_wherever_they_are(extension, around):
    with pytest.raises(MalformedDatagram):
        readers.unpack_untrusted(around + extension)


def test_an_extension_type_is_malformed_as_a_map_key():
    with pytest.raises(MalformedDatagram):
        readers.unpack_untrusted(b"\x81\xd6\xff" + bytes(4) + b"\x01")


def test_containers_may_be_as_deep_as_the_limit_and_no_deeper():
    deepest = b"\x91" * (readers.DEEPEST - 1) + b"\x90"

    readers.unpack_untrusted(deepest)
    with pytest.raises(MalformedDatagram, match="inside each other"):
        readers.unpack_untrusted(b"\x91" + deepest)


def test_depth_in_map_values_counts_as_well():
    with pytest.raises(MalformedDatagram, match="inside each other"):
        readers.unpack_untrusted(b"\x81\x01" * readers.DEEPEST + b"\x80")


@pytest.mark.parametrize(
    "value", [1 << 64, -(1 << 63) - 1, object(), "\ud800", {1, 2}, pytest]
)
def test_what_msgpack_has_no_form_for_is_the_callers_error(value):
    with pytest.raises(UsageError):
        readers.pack([value])


@given(plain_values, st.sampled_from([object(), 2**70, "\ud800"]))
def test_what_could_not_be_packed_leaves_nothing_behind(value, bad):
    expected = readers.pack(value)
    with pytest.raises(UsageError):
        readers.pack([b"begun", value, bad])

    assert readers.pack(value) == expected


def test_threads_do_not_get_into_each_others_bytes():
    values = [{number: [number] * 50, "a": (number,) * 9} for number in range(4)]
    expected = [readers.pack(value) for value in values]

    def differs(number: int) -> bool:
        return any(
            readers.pack(values[number]) != expected[number] for _ in range(5_000)
        )

    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(differs, range(4)))


@pytest.mark.parametrize("reader", READERS)
@given(value=plain_values)
def test_a_reader_returns_or_says_malformed(reader, value):
    try:
        reader(value)
    except MalformedDatagram:
        return


def test_later_fields_of_a_newer_version_are_tolerated():
    assert readers.fields_untrusted([1, 2, "new"], 2) == [1, 2, "new"]


@pytest.mark.parametrize("value", [[1], {1: 2, 3: 4}, "text", b"bytes", None, 2])
def test_too_few_fields_are_malformed(value):
    with pytest.raises(MalformedDatagram):
        readers.fields_untrusted(value, 2)


@pytest.mark.parametrize("value", [True, False, -1, 10, 1.0, "1", None])
def test_what_is_no_natural_number_below_the_bound_is_malformed(value):
    with pytest.raises(MalformedDatagram):
        readers.natural_untrusted(value, below=10)


@pytest.mark.parametrize("value", [0, 9])
def test_natural_numbers_below_the_bound_are_read(value):
    assert readers.natural_untrusted(value, below=10) == value


@pytest.mark.parametrize(
    ("value", "size", "fits"),
    [
        (b"abc", 3, True),
        (b"abc", 2, False),
        (b"abc", range(4), True),
        (b"abc", range(3), False),
        (b"abc", None, True),
        ("abc", None, False),
        (b"", 0, True),
    ],
)
def test_bytes_have_the_size_that_was_asked_for(value, size, fits):
    if fits:
        assert readers.bytes_untrusted(value, size) == value
    else:
        with pytest.raises(MalformedDatagram):
            readers.bytes_untrusted(value, size)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("fd00::1", "fd00::1"),
        ("FD00:0:0::0:1", "fd00::1"),
    ],
)
def test_equal_addresses_are_equal_text(written, canonical):
    assert readers.address_untrusted([written, 7946]) == (canonical, 7946)


@pytest.mark.parametrize(
    "value",
    [
        ["localhost", 1],
        ["", 1],
        ["10.0.0.1", 0],
        ["10.0.0.1", 65_536],
        ["10.0.0.1", True],
        ["010.0.0.1", 1],
        ["0.0.0.0", 1],  # noqa: S104 - refused, not bound
        ["::", 1],
        ["255.255.255.255", 1],
        ["224.0.0.1", 1],
        ["ff02::1", 1],
        ["fe80::1%eth0", 1],
        ["::ffff:10.0.0.1", 1],
        [167_772_161, 1],
        [b"\n\0\0\1", 1],
        ["10.0.0.1"],
        "10.0.0.1:1",
    ],
)
def test_what_no_single_host_can_be_sent_at_is_malformed(value):
    with pytest.raises(MalformedDatagram):
        readers.address_untrusted(value)


def test_the_error_never_repeats_a_long_value():
    with pytest.raises(MalformedDatagram) as caught:
        readers.text_untrusted("x" * 50_000)

    assert len(str(caught.value)) < 100


def test_announced_sizes_cost_no_memory_before_they_are_believed():
    announces_much = struct.pack(">BI", 0xDC + 1, 56_000) * 1000 + bytes(56_000)

    with pytest.raises(MalformedDatagram):
        readers.unpack_untrusted(announces_much)
