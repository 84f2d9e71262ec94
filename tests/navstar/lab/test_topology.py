"""Names and numbers of a lab: distinct, and inside what they belong to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.lab.errors import LabError
from navstar.lab.topology import (
    MOST_AGENTS,
    MOST_CONTAINERS,
    OVERLAY_SUBNET,
    OVERLAY_SUBNET6,
    Topology,
    is_lab_namespace,
    namespaces_of,
)

numbers = st.integers(1, MOST_AGENTS + 1)


@given(st.integers(1, MOST_AGENTS), st.integers(1, 5))
def test_every_namespace_of_a_lab_has_a_name_of_its_own(size, containers):
    topology = Topology("lab", size=size, containers=containers)

    names = [name for each in topology.agents for name in namespaces_of(each)]

    assert len(set(names)) == len(names) == size * (1 + containers)
    assert all(is_lab_namespace(name, "lab") for name in [*names, topology.fabric])


@given(numbers, st.integers(1, MOST_CONTAINERS))
def test_containers_live_in_their_agents_block_and_blocks_in_the_overlay(number, count):
    agent = Topology("lab", containers=count).agent(number)
    overlay = agent.overlay

    assert overlay.block is not None
    assert overlay.block6 is not None
    assert overlay.block.subnet_of(OVERLAY_SUBNET)
    assert overlay.block6.subnet_of(OVERLAY_SUBNET6)
    for container in agent.containers:
        assert container.address.ip in overlay.block
        assert container.address6.ip in overlay.block6
        assert container.address.ip != overlay.block.broadcast_address


@given(numbers, numbers)
def test_two_agents_share_no_word_that_means_one_of_them(one, other):
    topology = Topology()

    shared = topology.agent(one).traces & topology.agent(other).traces

    assert bool(shared) == (one == other)


@pytest.mark.parametrize("prefix", ["", "Lab", "1lab", "a/b", "../x", "a" * 32, "a b"])
def test_a_prefix_that_would_not_make_names_is_refused(prefix):
    with pytest.raises(LabError, match="prefix"):
        Topology(prefix)


@pytest.mark.parametrize(("size", "containers"), [(0, 1), (201, 1), (1, 0), (1, 101)])
def test_a_lab_of_impossible_size_is_refused_naming_the_limit(size, containers):
    with pytest.raises(LabError, match="must be 1 to"):
        Topology("lab", size=size, containers=containers)


def test_a_lab_does_not_take_the_namespaces_of_a_longer_prefix_for_its_own():
    assert not is_lab_namespace("lab-two-a1", "lab")
    assert not is_lab_namespace("lab-a1x", "lab")
    assert is_lab_namespace("lab-two-a1", "lab-two")
