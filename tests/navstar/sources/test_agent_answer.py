import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.allocation import Skipped
from navstar.sources.agent_answer import Answer, read_answer, read_kept

#: As in the documentation of the original, with what it adds by itself.
ANSWER: dict[str, Any] = {
    "ip": "10.0.0.2",
    "configuration_attempts": 1,
    "overlays": [
        {
            "info": {
                "name": "dcos",
                "subnet": "9.0.0.0/8",
                "prefix": 24,
                "enabled": True,
            },
            "subnet": "9.0.2.0/24",
            "mesos_bridge": {"name": "m-dcos", "ip": "9.0.2.0/25"},
            "docker_bridge": {"name": "d-dcos", "ip": "9.0.2.128/25"},
            "backend": {
                "vxlan": {
                    "vni": 1024,
                    "vtep_name": "vtep1024",
                    "vtep_ip": "44.128.0.2/20",
                    "vtep_ip6": "fd01:a::2/64",
                    "vtep_mac": "70:b3:d5:80:00:02",
                    "vtep_mtu": 1500,
                }
            },
            "state": {"status": "STATUS_OK"},
        },
        {
            "info": {"name": "dcos6", "subnet6": "fd01:b::/64", "prefix6": 80},
            "subnet6": "fd01:b:0:0:2::/80",
            "backend": {
                "vxlan": {
                    "vni": 1024,
                    "vtep_name": "vtep1024",
                    "vtep_ip": "44.128.0.2/20",
                    "vtep_ip6": "fd01:a::2/64",
                    "vtep_mac": "70:b3:d5:80:00:02",
                    "vtep_mtu": 1500,
                }
            },
            "state": {"status": "STATUS_OK"},
        },
    ],
}


def answer(**changed: object) -> dict[str, Any]:
    """The answer with paths like `state__status` of its first overlay changed."""
    document = copy.deepcopy(ANSWER)
    for path, value in changed.items():
        *parents, last = path.split("__")
        place = document["overlays"][0]
        for parent in parents:
            place = place[parent]
        place[last] = value
    return document


def names(read: Answer) -> list[str]:
    return [overlay.name for overlay in read.allocation.overlays]


def test_the_originals_answer_is_understood() -> None:
    allocation = read_answer(ANSWER, before=Answer()).allocation

    dcos, dcos6 = allocation.overlays
    assert str(allocation.agent_ip) == "10.0.0.2"
    assert allocation.skipped == ()
    assert (str(dcos.subnet), str(dcos.block)) == ("9.0.0.0/8", "9.0.2.0/24")
    assert (str(dcos6.subnet6), str(dcos6.block6)) == (
        "fd01:b::/64",
        "fd01:b:0:0:2::/80",
    )
    assert dcos.vtep.port == 64000
    assert dcos.vtep.mtu == 1500
    assert str(dcos.vtep.address6) == "fd01:a::2/64"


@pytest.mark.parametrize(
    ("changed", "bridges"),
    [
        ({}, ("m-dcos", "d-dcos")),
        ({"docker_bridge": None}, ("m-dcos",)),
        # They are for the operator's eye: what is no name costs no overlay.
        ({"mesos_bridge": {"name": "a/b"}, "docker_bridge": 7}, ()),
    ],
)
def test_the_bridges_that_the_module_made_are_known(changed, bridges) -> None:
    dcos, dcos6 = read_answer(answer(**changed), before=Answer()).allocation.overlays

    assert dcos.bridges == bridges
    assert dcos6.bridges == ()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": {"status": "STATUS_CONFIGURING"}}, "STATUS_CONFIGURING"),
        (
            {"state": {"status": "STATUS_FAILED", "error": "no docker"}},
            "STATUS_FAILED (no docker)",
        ),
        ({"state": {}}, "it has no status"),
        ({"backend": {}}, "it has no VXLAN backend"),
        ({"info__enabled": False}, "it is disabled"),
        ({"backend__vxlan__vni": "many"}, "backend.vxlan.vni: should be a valid"),
        ({"backend__vxlan__vtep_mac": "70:b3"}, "backend.vxlan.vtep_mac: should be"),
        ({"subnet": "10.0.2.0/24"}, "block: 10.0.2.0/24 is outside"),
        ({"info__subnet": "9.0.0.1/8"}, "info.subnet: 9.0.0.1/8 has host bits set"),
    ],
)
def test_one_that_cannot_be_used_is_skipped_alone_with_its_reason(
    changed, reason
) -> None:
    read = read_answer(answer(**changed), before=Answer())

    (skipped,) = read.allocation.skipped
    assert names(read) == ["dcos6"]
    assert skipped.name == "dcos"
    assert reason in skipped.reason


def test_one_that_becomes_ok_is_taken_up() -> None:
    before = read_answer(answer(state={"status": "STATUS_FAILED"}), before=Answer())

    after = read_answer(ANSWER, before=before)

    assert names(before) == ["dcos6"]
    assert names(after) == ["dcos", "dcos6"]
    assert after.allocation.skipped == ()


@pytest.mark.parametrize(
    "changed",
    [{"state": {"status": "STATUS_CONFIGURING"}}, {"backend__vxlan__vni": "many"}],
)
def test_one_that_was_ok_stays_as_it_was_while_it_is_listed(changed) -> None:
    before = read_answer(ANSWER, before=Answer())

    after = read_answer(answer(**changed), before=before)

    (skipped,) = after.allocation.skipped
    assert after.allocation.overlays == before.allocation.overlays
    assert "kept as it was" in skipped.reason


def test_one_that_is_disabled_goes() -> None:
    before = read_answer(ANSWER, before=Answer())

    after = read_answer(answer(info__enabled=False), before=before)

    assert names(after) == ["dcos6"]


def test_one_that_is_not_listed_any_more_goes() -> None:
    before = read_answer(ANSWER, before=Answer())
    only_second = ANSWER | {"overlays": ANSWER["overlays"][1:]}

    after = read_answer(only_second, before=before)

    assert names(after) == ["dcos6"]
    assert after.allocation.skipped == ()


@pytest.mark.parametrize("document", [{}, {"ip": "10.0.0.2"}, {"overlays": []}])
def test_a_module_that_lists_nothing_says_nothing_and_the_way_out_is_named(
    document,
) -> None:
    with pytest.raises(ValueError, match="navstar down --leave"):
        read_answer(document, before=read_answer(ANSWER, before=Answer()))


@pytest.mark.parametrize(
    "state", [{}, {"status": "STATUS_CONFIGURING"}, {"status": "STATUS_FAILED"}]
)
def test_before_any_overlay_was_ok_there_is_no_allocation(state) -> None:
    document = answer(state=state)
    document["overlays"][1]["state"] = state

    with pytest.raises(ValueError, match="no overlay can be used yet: dcos: "):
        read_answer(document, before=Answer())


def test_an_agent_whose_overlays_are_all_disabled_has_none() -> None:
    document = answer(info__enabled=False)
    document["overlays"] = document["overlays"][:1]

    read = read_answer(document, before=read_answer(ANSWER, before=Answer()))

    assert read.allocation.overlays == ()


def test_what_is_kept_of_an_answer_makes_the_same_overlays_again() -> None:
    before = read_answer(ANSWER, before=Answer())

    kept = read_kept(list(before.kept.values()))
    after = read_answer(answer(state={}), before=kept)

    assert kept.good == before.good
    assert after.allocation.overlays == before.allocation.overlays


def test_of_an_overlay_that_stays_the_same_the_same_is_kept() -> None:
    before = read_answer(ANSWER, before=Answer())

    after = read_answer(
        answer(mesos_bridge={"name": "m-dcos", "ip": "9.0.2.0/26"}), before=before
    )

    assert after.kept == before.kept


def test_one_that_does_not_fit_any_more_stays_as_it_was() -> None:
    before = read_answer(ANSWER, before=Answer())

    after = read_answer(answer(subnet="10.0.2.0/24"), before=before)

    assert after.allocation.overlays == before.allocation.overlays
    assert "outside" in after.allocation.skipped[0].reason


def test_one_that_clashes_with_one_that_is_kept_stays_as_it_was() -> None:
    before = read_answer(ANSWER, before=Answer())
    document = answer(state={})
    vxlan = document["overlays"][1]["backend"]["vxlan"]
    vxlan["vtep_mac"] = "70:b3:d5:80:00:03"

    after = read_answer(document, before=before)

    assert after.allocation.overlays == before.allocation.overlays
    assert [one.name for one in after.allocation.skipped] == ["dcos", "dcos6"]


def test_a_block_without_vtep_address_of_its_family_is_not_in_use() -> None:
    document = answer(info__subnet6="fd01:c::/64", subnet6="fd01:c:0:0:2::/80")
    for overlay in document["overlays"]:
        del overlay["backend"]["vxlan"]["vtep_ip6"]

    dcos, _ = read_answer(document, before=Answer()).allocation.overlays

    assert str(dcos.block) == "9.0.2.0/24"
    assert dcos.block6 is None


@pytest.mark.parametrize(
    ("text", "agent_ip"),
    [
        ("10.0.0.2", "10.0.0.2"),
        ("10.0.0.2:5051", "10.0.0.2"),
        ("fd00::2", "fd00::2"),
        ("[fd00::2]:5051", "fd00::2"),
        ("", "None"),
        ("agent.example", "None"),
        (7, "None"),
    ],
)
def test_the_agents_address_is_the_text_before_the_port(text, agent_ip) -> None:
    read = read_answer(ANSWER | {"ip": text}, before=Answer())

    assert str(read.allocation.agent_ip) == agent_ip


@pytest.mark.parametrize("document", [None, [], "x", 3, {"overlays": {"a": 1}}])
def test_an_answer_of_another_form_is_refused_as_a_whole(document) -> None:
    with pytest.raises(ValueError, match="should be"):
        read_answer(document, before=Answer())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "info",
                "info__name",
                "info__subnet",
                "subnet",
                "subnet6",
                "state",
                "state__status",
                "backend__vxlan",
            ]
        ),
        anything,
        max_size=1,
    )
)
def test_whatever_one_overlay_holds_the_others_stand(changed) -> None:
    read = read_answer(answer(**changed), before=Answer())

    assert "dcos6" in names(read) or changed.get("info__name") == "dcos6"


@given(st.lists(anything))
def test_whatever_is_listed_every_entry_is_used_or_skipped(listed) -> None:
    first = read_answer(ANSWER, before=Answer())
    document = {"overlays": [*listed, ANSWER["overlays"][0]]}
    read = read_answer(document, before=first)

    assert len(read.allocation.skipped) == len(listed)
    assert all(isinstance(one, Skipped) for one in read.allocation.skipped)
