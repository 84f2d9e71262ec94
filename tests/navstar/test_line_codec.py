from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.line import KEY_PREFIX, Line
from navstar.line_codec import BadLine, key_of, line_untrusted, value_of
from tests.navstar.allocations import lines

NODE = "0123456789abcdef" * 2
KEY = (*KEY_PREFIX, "9.0.0.0/8")
VTEP = "44.128.0.3/20"
VALUE: dict[str, object] = {
    "mac": "70:b3:d5:80:00:03",
    "ip": "10.0.0.3",
    "subnet": "9.0.3.0/24",
    "vni": 1024,
    "port": 64000,
    "name": "a3",
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=20)
    | st.sampled_from(["9.0.0.0/8", VTEP, "fd01:b::/64", "10.0.0.3", NODE])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=6,
)
hostile = values | st.dictionaries(
    st.sampled_from([*VALUE, "mtu", "ip6", "dual"]), values
)


def read(**changed: object) -> Line | BadLine:
    return line_untrusted(KEY, VTEP, NODE, (7, VALUE | changed))


@given(lines())
def test_a_line_read_back_is_the_line_that_was_written(line: Line) -> None:
    stamped = line.claimed_at, value_of(line)

    assert (
        line_untrusted(key_of(line.overlay), str(line.vtep), line.node, stamped) == line
    )


@given(values, values, values, st.tuples(st.integers(), hostile))
def test_whatever_stands_in_the_table_nothing_is_raised(key, field, node, stamped):
    assert isinstance(line_untrusted(key, field, node, stamped), Line | BadLine)


@given(st.tuples(*[st.just("navstar"), st.just("overlay"), values]), hostile)
def test_whatever_an_overlay_holds_nothing_is_raised(key, value) -> None:
    assert isinstance(line_untrusted(key, VTEP, NODE, (1, value)), Line | BadLine)


@given(st.dictionaries(st.sampled_from([*VALUE, "mtu", "ip4", "ip6"]), values))
def test_a_line_with_hostile_fields_is_whole_or_named(changed) -> None:
    read_back = line_untrusted(KEY, VTEP, NODE, (1, VALUE | changed))

    if isinstance(read_back, BadLine):
        assert read_back.reason
        assert str(read_back).isprintable()
        assert len(str(read_back)) < 400


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"mac": "71:b3:d5:80:00:03"}, "mac", id="multicast-mac"),
        pytest.param({"mac": "00:00:00:00:00:00"}, "mac", id="zero-mac"),
        pytest.param({"mac": "70:B3:D5:80:00:03"}, "mac", id="upper-case-mac"),
        pytest.param({"mac": None}, "mac", id="no-mac"),
        pytest.param({"ip": "224.0.0.1"}, "ip: 224.0.0.1", id="multicast-agent"),
        pytest.param({"ip": "127.0.0.1"}, "ip: 127.0.0.1", id="loopback-agent"),
        pytest.param({"ip": "0.0.0.0"}, "ip: 0.0.0.0", id="no-agent"),  # noqa: S104
        pytest.param({"ip": "fe80::1%eth0"}, "one host only", id="scoped-agent"),
        pytest.param({"ip": 167772163}, "ip: 167772163", id="address-as-number"),
        pytest.param({"subnet": "10.0.3.0/24"}, "outside", id="foreign-block"),
        pytest.param({"subnet": "0.0.0.0/0"}, "outside", id="default-route"),
        pytest.param({"subnet": "fd01:b::/80"}, "outside", id="block-of-other-family"),
        pytest.param({"subnet": "9.0.3.1/24"}, "subnet", id="host-bits-in-block"),
        pytest.param({"vni": 0}, "vni", id="no-vni"),
        pytest.param({"vni": 2**24}, "vni", id="large-vni"),
        pytest.param({"vni": True}, "vni", id="vni-that-is-a-truth"),
        pytest.param({"port": 65536}, "port", id="large-port"),
        pytest.param({"port": "64000"}, "port", id="port-as-text"),
        pytest.param({"mtu": 575}, "mtu", id="small-mtu"),
        pytest.param({"dual": 2}, "dual", id="more-than-two-families"),
        pytest.param({"dual": "yes"}, "dual", id="dual-in-words"),
        pytest.param({"name": "a\x1b[2J"}, "name", id="terminal-codes-in-name"),
        pytest.param({"name": "a" * 256}, "name", id="endless-name"),
        pytest.param({"since": 0}, "since", id="claim-before-time"),
        pytest.param({"since": "7"}, "since", id="claim-time-as-text"),
        pytest.param({"ip6": "10.0.0.9"}, "other family", id="underlay-mixed-up"),
    ],
)
def test_a_line_out_of_range_is_skipped_with_the_reason(changed, says) -> None:
    bad = read(**changed)

    assert isinstance(bad, BadLine)
    assert says in bad.reason


@pytest.mark.parametrize(
    "field",
    ["44.128.0.3", "44.128.0.3/020", "44.128.0.0/20", "fd01:a::3/64", "9.0.0.1/24", 3],
)
def test_a_vtep_must_be_one_host_of_the_overlays_family_outside_of_it(field) -> None:
    assert isinstance(line_untrusted(KEY, field, NODE, (1, VALUE)), BadLine)


def test_unknown_fields_are_a_later_versions_business() -> None:
    assert read(lease=30) == read()


def test_the_claim_is_as_old_as_its_register() -> None:
    line = read()

    assert isinstance(line, Line)
    assert line == replace(line, claimed_at=7)


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_claim_is_as_old_as_it_says_unless_that_is_after_its_writing(
    since: int, written_at: int
) -> None:
    value = VALUE | {"since": since}

    line = line_untrusted(KEY, VTEP, NODE, (written_at, value))

    assert isinstance(line, Line)
    assert line.claimed_at == min(since, written_at)


@given(lines(), st.integers(0, 2**62))
def test_writing_a_line_again_leaves_its_claim_as_old_as_it_was(line, later) -> None:
    again = line_untrusted(
        key_of(line.overlay),
        str(line.vtep),
        line.node,
        (line.claimed_at + later, value_of(line)),
    )

    assert isinstance(again, Line)
    assert again.claimed_at == (line.claimed_at or later)
