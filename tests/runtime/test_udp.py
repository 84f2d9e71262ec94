"""The endpoint on real sockets, on both event loops."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from lashup.errors import ConfigError, UsageError
from lashup.machine import Address
from lashup.runtime.udp import SendResult, UdpEndpoint

ROOT = Path(__file__).parents[2]
V4, V6 = ("127.0.0.1", 0), ("::1", 0)

backends = pytest.mark.parametrize("backend", ["trio", "asyncio"])
families = pytest.mark.parametrize("address", [V4, V6])


async def next_datagrams(endpoint, count):
    """The next `count` datagrams; each wait is bounded."""
    taken: list[tuple[bytes, Address]] = []
    with anyio.fail_after(5):
        while len(taken) < count:
            await endpoint.wait_readable()
            taken += endpoint.drain()
    return taken


def on(backend, main):
    return anyio.run(main, backend=backend)


@backends
@families
def test_a_datagram_arrives_with_the_address_of_its_sender(backend, address):
    async def main():
        with UdpEndpoint([address]) as one, UdpEndpoint([address]) as two:
            assert one.send(b"hello", two.addresses[0]) is SendResult.SENT

            assert await next_datagrams(two, 1) == [(b"hello", one.addresses[0])]

    on(backend, main)


@backends
def test_one_wait_serves_both_families(backend):
    async def main():
        with UdpEndpoint([V4, V6]) as both, UdpEndpoint([V4, V6]) as other:
            for to, mine in zip(both.addresses, other.addresses, strict=True):
                other.send(b"x", to)
                assert await next_datagrams(both, 1) == [(b"x", mine)]

    on(backend, main)


@backends
def test_what_one_wake_up_leaves_is_there_at_the_next(backend):
    async def main():
        with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as two:
            for number in range(10):
                one.send(bytes([number]), two.addresses[0])
            with anyio.fail_after(5):
                await two.wait_readable()
                first = two.drain(most=4)
            rest = await next_datagrams(two, 6)

            assert len(first) == 4
            assert [data[0] for data, _ in first + rest] == list(range(10))

    on(backend, main)


@backends
def test_a_cancelled_wait_takes_nothing(backend):
    async def main():
        with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as two:
            with anyio.move_on_after(0):
                await two.wait_readable()
            one.send(b"x", two.addresses[0])

            assert len(await next_datagrams(two, 1)) == 1

    on(backend, main)


def test_an_empty_endpoint_drains_to_nothing():
    with UdpEndpoint([V4, V6]) as endpoint:
        assert endpoint.drain() == []


def test_an_empty_datagram_and_the_largest_are_carried():
    with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as two:
        for data in (b"", bytes(65_507)):
            assert one.send(data, two.addresses[0]) is SendResult.SENT

        assert [len(data) for data, _ in two.drain()] == [0, 65_507]


def test_a_datagram_too_large_for_udp_is_said_to_be():
    with UdpEndpoint([V4]) as one:
        assert one.send(bytes(65_508), one.addresses[0]) is SendResult.TOO_LARGE
        assert one.statistics()["send_EMSGSIZE"] == 1


def test_a_family_without_a_socket_has_no_route():
    with UdpEndpoint([V4]) as one:
        assert one.send(b"x", ("::1", 9)) is SendResult.NO_ROUTE


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (errno.EPERM, SendResult.REFUSED),
        (errno.ENOBUFS, SendResult.REFUSED),
        (errno.EAGAIN, SendResult.REFUSED),
        (errno.ENETDOWN, SendResult.REFUSED),
        (errno.ENETUNREACH, SendResult.NO_ROUTE),
        (errno.EHOSTUNREACH, SendResult.NO_ROUTE),
    ],
)
def test_what_the_own_host_refuses_is_a_result_and_a_count(code, result):
    class Refusing:
        """The kernel's answers that a test cannot provoke without a firewall."""

        def sendto(self, data, to):
            raise OSError(code, os.strerror(code))

    with UdpEndpoint([V4]) as one:
        real = one._sockets[socket.AF_INET]
        one._sockets[socket.AF_INET] = Refusing()  # type: ignore[assignment]
        try:
            assert one.send(b"x", ("127.0.0.1", 9)) is result
        finally:
            one._sockets[socket.AF_INET] = real
        assert one.statistics()[f"send_{errno.errorcode[code]}"] == 1
        assert one.statistics()["sent"] == 0


def test_a_real_refusal_of_the_kernel_is_a_result():
    with UdpEndpoint([V4]) as one:  # broadcast needs a socket option: EACCES
        assert one.send(b"x", ("255.255.255.255", 9)) is SendResult.REFUSED
        assert one.statistics()["send_EACCES"] == 1


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
def test_a_host_without_a_route_is_told_so_by_a_real_kernel():
    program = (
        "from lashup.runtime.udp import UdpEndpoint\n"
        "one = UdpEndpoint([('0.0.0.0', 0), ('::', 0)])\n"
        "for host in ('10.1.2.3', 'fd00::9'): print(one.send(b'x', (host, 9)).name)"
    )

    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", program],
        capture_output=True, text=True, timeout=30, check=True, cwd=ROOT,
    )  # fmt: skip

    assert done.stdout.split() == ["NO_ROUTE", "NO_ROUTE"]


def test_nobody_listening_disturbs_neither_sending_nor_receiving():
    with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as gone:
        nobody = gone.addresses[0]
        gone.close()
        for _ in range(3):
            assert one.send(b"x", nobody) is SendResult.SENT
        one.send(b"to myself", one.addresses[0])

        assert [data for data, _ in one.drain()] == [b"to myself"]


def test_a_host_name_is_never_looked_up():
    with UdpEndpoint([V4]) as one, pytest.raises(UsageError, match="localhost"):
        one.send(b"x", ("localhost", 9))


def test_datagrams_and_bytes_are_counted():
    with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as two:
        for size in (10, 20):
            one.send(bytes(size), two.addresses[0])
        two.drain()

        assert one.statistics()["sent"] == two.statistics()["received"] == 2
        assert (
            one.statistics()["sent_bytes"] == two.statistics()["received_bytes"] == 30
        )


def test_what_a_full_buffer_drops_is_counted():
    with UdpEndpoint([V4]) as one, UdpEndpoint([V4]) as two:
        two._sockets[socket.AF_INET].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        for _ in range(100):
            one.send(bytes(1000), two.addresses[0])
        arrived = len(two.drain())

        assert arrived < 100
        assert two.statistics()["dropped"] == 100 - arrived


def test_the_receive_buffer_is_larger_than_the_system_gives_by_itself():
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with plain, UdpEndpoint([V4]) as endpoint:
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

        assert endpoint.statistics()["receive_buffer"] >= usual


# --- addresses that cannot be had ------------------------------------------------


def test_a_taken_address_is_named_and_nothing_stays_open():
    with UdpEndpoint([V4]) as first:
        taken = first.addresses[0]
        before = len(os.listdir("/proc/self/fd"))

        with pytest.raises(ConfigError, match=f"{taken[1]}.*another process") as caught:
            UdpEndpoint([V6, taken])

        assert caught.value.field == "bind[1]"
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("bind", "field", "says"),
    [
        ([], "bind", "no address"),
        ([("192.0.2.77", 0)], "bind", "192.0.2.77"),
        ([("2001:db8::77", 0)], "bind", "2001:db8::77"),
        ([("localhost", 0)], "bind", "localhost"),
        ([("127.0.0.1", 65_536)], "bind", "65536"),
        ([V4, ("127.0.0.2", 0)], "bind[1]", "same family"),
    ],
)
def test_an_address_that_cannot_be_bound_is_named(bind, field, says):
    with pytest.raises(ConfigError, match=says) as caught:
        UdpEndpoint(bind)

    assert caught.value.field == field


def test_closing_once_more_does_nothing():
    endpoint = UdpEndpoint([V4])

    endpoint.close()
    endpoint.close()

    assert endpoint.addresses == ()
