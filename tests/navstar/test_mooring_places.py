"""Where lashup is moved to, and what is held back meanwhile: on a real kernel."""

from ipaddress import ip_network
from types import SimpleNamespace

import pytest
import structlog
import structlog.testing
import trio
import trio.testing

from lashup import ConfigError
from navstar.config import Config
from navstar.mooring import SETTLE, Mooring
from tests.kernel_namespace import in_namespace, ip

pytestmark = pytest.mark.kernel

OVERLAID = frozenset({ip_network("fd01:b::/64"), ip_network("10.99.0.0/16")})


class Node:
    """Records moves, and refuses them if it is told to."""

    def __init__(self) -> None:
        self.id = b"me"
        self.address = ("10.78.0.1", 7947)
        self.addresses = self.bound_addresses = (self.address,)
        self.moves: list[tuple[list[tuple[str, int]], object]] = []
        self.refuses = False

    def live_members(self):
        return ()

    async def move(self, bind, *, advertise):
        if self.refuses:
            raise ConfigError("bind", "taken")
        self.moves.append((bind, advertise))
        self.addresses = tuple(bind)


def config(**lashup: object) -> Config:
    return Config.model_validate(
        {
            "node": {"name": "a1", "data_dir": "/nowhere"},
            "lashup": {
                "bind": ["10.78.0.1:7947"],
                "seeds": ["10.78.0.2:7947"],
                "key_files": ["/nowhere/key"],
                **lashup,
            },
            "source": {"kind": "file", "path": "/nowhere/a.toml"},
        }
    )


def played(story, **lashup):
    """What a story says of a mooring on a host with one address."""

    def scene():
        ip("link add under type veth peer name other")
        ip("link set other up")
        ip("link set under up")
        ip("addr add 10.78.0.1/24 dev under")
        node, settled = Node(), []
        written = config(**lashup)
        with structlog.testing.capture_logs() as logs:
            mooring = Mooring(
                node,  # type: ignore[arg-type]
                lambda: written,
                overlaid=lambda: OVERLAID,
                on_settled=lambda: settled.append(True),
                log=structlog.get_logger(),
            )

            async def main():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(mooring.run)

                    async def settle():
                        mooring.look()
                        await trio.sleep(2 * SETTLE)

                    await story(mooring, node, settle)
                    nursery.cancel_scope.cancel()

            trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        return SimpleNamespace(node=node, settled=len(settled), logs=logs)

    return in_namespace(scene)


def replace(old: str, new: str) -> None:
    ip(f"addr del {old}/24 dev under")
    ip(f"addr add {new}/24 dev under")


def test_with_its_address_it_stays_and_holds_nothing_back():
    async def story(mooring, node, settle):
        await settle()
        assert not mooring.is_adrift()
        await settle()

    seen = played(story)

    assert (seen.node.moves, seen.settled) == ([], 0)


def test_who_was_told_to_wait_is_called_once_it_has_moved():
    async def story(mooring, node, settle):
        replace("10.78.0.1", "10.78.0.9")
        assert mooring.is_adrift()
        await settle()
        assert not mooring.is_adrift()
        await settle()

    seen = played(story)

    assert seen.node.moves == [([("10.78.0.9", 7947)], ())]
    assert seen.settled == 1


def test_who_was_told_to_wait_is_called_too_if_the_address_came_back_first():
    async def story(mooring, node, settle):
        replace("10.78.0.1", "10.78.0.9")
        assert mooring.is_adrift()
        replace("10.78.0.9", "10.78.0.1")
        await settle()

    seen = played(story)

    assert (seen.node.moves, seen.settled) == ([], 1)


def test_a_move_that_is_refused_is_told_once_and_holds_nothing_back():
    async def story(mooring, node, settle):
        node.refuses = True
        replace("10.78.0.1", "10.78.0.9")
        assert mooring.is_adrift()
        await settle()
        assert not mooring.is_adrift()
        await settle()

    seen = played(story)

    told = [line for line in seen.logs if line["event"] == "lashup stays where it is"]
    assert len(told) == 1
    assert seen.settled == 1


def test_with_no_other_address_it_stays():
    async def story(mooring, node, settle):
        ip("addr del 10.78.0.1/24 dev under")
        assert not mooring.is_adrift()
        await settle()

    assert played(story).node.moves == []


def test_it_does_not_go_to_an_address_of_the_overlay():
    async def story(mooring, node, settle):
        ip("addr add fd78::1/64 dev under nodad")
        ip("addr add fd01:b:0:0:1::1/80 dev under nodad")
        ip("-6 rule add from fd01:b::/64 lookup 42 priority 32000")
        ip("-6 route add fd78::2 dev under table 42")
        await settle()
        ip("-6 addr del fd78::1/64 dev under")
        assert not mooring.is_adrift()
        await settle()

    seen = played(story, bind=["[fd78::1]:7947"], seeds=["[fd78::2]:7947"])

    assert seen.node.moves == []


def test_an_address_that_is_told_and_was_this_hosts_own_is_followed():
    async def story(mooring, node, settle):
        await settle()
        replace("10.78.0.1", "10.78.0.9")
        await settle()

    seen = played(
        story,
        bind=["0.0.0.0:7947"],
        advertise=["10.78.0.1:7947", "192.0.2.1:7947"],
    )

    told = (("10.78.0.9", 7947), ("192.0.2.1", 7947))
    assert seen.node.moves == [([("0.0.0.0", 7947)], told)]  # noqa: S104


def test_a_refusal_is_forgotten_when_the_address_is_back():
    async def story(mooring, node, settle):
        node.refuses = True
        replace("10.78.0.1", "10.78.0.9")
        await settle()
        replace("10.78.0.9", "10.78.0.1")
        await settle()
        replace("10.78.0.1", "10.78.0.9")
        assert mooring.is_adrift()
        await settle()

    seen = played(story)

    told = [line for line in seen.logs if line["event"] == "lashup stays where it is"]
    assert len(told) == 2


def test_a_free_port_of_each_family_stays_the_one_that_was_found():
    async def story(mooring, node, settle):
        node.bound_addresses = (("10.78.0.1", 1111), ("::1", 2222))
        replace("10.78.0.1", "10.78.0.9")
        await settle()

    seen = played(story, bind=["10.78.0.1:0", "[::1]:0"])

    assert seen.node.moves == [([("10.78.0.9", 1111), ("::1", 2222)], ())]


def test_nothing_is_held_back_for_an_address_that_others_prefer_another_to():
    async def story(mooring, node, settle):
        replace("10.78.0.1", "10.78.0.9")
        assert not mooring.is_adrift()
        await settle()

    seen = played(story, bind=["[::1]:7947", "10.78.0.1:7947"])

    assert seen.node.moves == [([("::1", 7947), ("10.78.0.9", 7947)], ())]
    assert seen.settled == 0
