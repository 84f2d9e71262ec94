"""Rows as people and programs read them."""

from __future__ import annotations

import json

import pytest

from navstar.tables import (
    Fdb,
    address_of_bytes,
    family_of,
    is_unicast_mac,
    link_of,
    row_json,
    unique,
)
from tests.navstar.example_rows import GROUND, LINK, VTEP, path_to


def test_a_row_reads_like_iproute2():
    read = {str(row) for row in GROUND | path_to(2)}

    assert read >= {
        "link vtk1024 vxlan id 1024 dstport 64000 local 10.0.0.1 "
        "address 70:b3:d5:80:00:01 mtu 1450 nolearning up",
        "addr 44.128.0.1/20 dev vtk1024",
        "neigh fd01:a::2 lladdr 70:b3:d5:80:00:02 dev vtk1024 nud permanent",
        "fdb 70:b3:d5:80:00:02 dev vtk1024 dst 10.0.0.2 self permanent",
        "route 9.0.2.0/24 via 44.128.0.2 dev vtk1024 proto 78 metric 3 onlink",
        "route 10.0.0.2/32 via 44.128.0.2 dev vtk1024 table 42 proto 78 "
        "metric 3 onlink",
        "rule 32000 from fd01:b::/64 lookup 42",
    }


def test_every_row_goes_into_json_with_its_kind():
    shown = [row_json(row) for row in GROUND | path_to(2)]

    assert json.loads(json.dumps(shown)) == shown
    assert {row["kind"] for row in shown} == {
        "link",
        "addr",
        "neighbour",
        "fdb",
        "route",
        "rule",
    }
    assert row_json(LINK)["local"] == "10.0.0.1"


def test_only_rules_are_on_no_link_and_only_links_and_fdb_rows_serve_both_families():
    for row in GROUND | path_to(2):
        kind = row_json(row)["kind"]
        assert link_of(row) == (None if kind == "rule" else VTEP)
        assert (family_of(row) is None) == (kind in {"link", "fdb"})


@pytest.mark.parametrize("mac", ["", "70:b3", "zz:b3:d5:80:00:01", "70b3d5800001"])
def test_what_is_no_mac_is_no_unicast_mac(mac):
    assert not is_unicast_mac(mac)


def test_an_address_has_four_bytes_or_sixteen():
    assert address_of_bytes(bytes(4)).version == 4
    assert address_of_bytes(bytes(16)).version == 6
    with pytest.raises(ValueError, match="5 bytes"):
        address_of_bytes(bytes(5))


def test_equal_rows_are_one_object_while_somebody_has_it():
    (first,) = (row for row in path_to(2) if isinstance(row, Fdb))
    (again,) = (row for row in path_to(2) if isinstance(row, Fdb))
    kept = unique(first)

    assert again is not first
    assert unique(again) is kept
