"""Which address of a host the others send to, on a real kernel."""

from ipaddress import ip_address

import pytest

from navstar.agent_address import agent_address, overlaid
from navstar.allocation import Allocation
from navstar.config import Config
from tests.kernel_namespace import in_namespace, ip
from tests.navstar.allocations import ALLOCATION
from tests.navstar.overlay_lines import line4

pytestmark = pytest.mark.kernel

V4, V6 = ip_address("10.78.0.1"), ip_address("fd78::1")


def config(tmp_path, **overlay: object) -> Config:
    return Config.model_validate(
        {
            "node": {"name": "a1", "data_dir": str(tmp_path)},
            "lashup": {
                "bind": ["127.0.0.1:7947"],
                "seeds": ["10.78.0.2:7947", "[fd78::2]:7947"],
            },
            "source": {"kind": "file", "path": str(tmp_path / "a.toml")},
            "overlay": overlay,
        }
    )


def found(config: Config, *, before, without: str = ""):
    """What is found on a host with an address of each family, or without one."""

    def look():
        ip("link add under type veth peer name other")
        ip("link set other up")
        ip("link set under up")
        ip(f"addr add {V4}/24 dev under")
        ip(f"addr add {V6}/64 dev under nodad")
        if without:
            ip(f"addr del {without} dev under")
        return agent_address(config, Allocation(()), own=(), before=before)

    return in_namespace(look)


def test_the_first_address_towards_a_seed_is_taken(tmp_path):
    assert found(config(tmp_path), before=None) == V4


def test_without_ipv4_there_is_ipv6(tmp_path):
    assert found(config(tmp_path), before=None, without=f"{V4}/24") == V6


def test_an_address_that_is_away_is_not_replaced_by_one_of_the_other_family(tmp_path):
    assert found(config(tmp_path), before=V4, without=f"{V4}/24") == V4


def test_another_address_of_the_family_is_followed(tmp_path):
    assert found(config(tmp_path), before=ip_address("10.78.0.99")) == V4
    assert found(config(tmp_path), before=ip_address("fd78::99")) == V6


def test_the_operators_word_counts_whatever_was_before(tmp_path):
    told = config(tmp_path, agent_ip=str(V6))

    assert found(told, before=V4) == V6


def test_an_address_of_the_overlay_is_none_of_the_underlay(tmp_path):
    def look():
        ip("link add under type veth peer name other")
        ip("link set under up")
        ip("link set other up")
        ip("addr add fd01:b:0:0:1::1/80 dev under nodad")
        # The kernel tries a second time with an address of its choice; of the overlay
        # is one by which the rule leads to table 42, and there to every agent.
        ip("-6 rule add from fd01:b::/64 lookup 42 priority 32000")
        ip("-6 route add fd78::2 dev under table 42")
        return agent_address(config(tmp_path), ALLOCATION, own=(), before=V6)

    assert in_namespace(look) == V6


def test_what_stands_on_the_underlay_is_known_from_what_was_said_before_too():
    networks = overlaid(None, [line4(1)])

    assert networks == overlaid(ALLOCATION, ()) & networks
    assert len(networks) == 2
