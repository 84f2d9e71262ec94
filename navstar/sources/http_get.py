"""One bounded HTTP GET, on the standard library, from trio.

`http.client` in a worker thread does all that is needed: no redirects, no proxy
from the environment, TLS with a client certificate. What it lacks is a limit to
the whole exchange, because each single read has a timeout of its own and a server
may send one byte at a time. So the caller's time limit shuts the socket down,
which ends the thread's read at once.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

#: Bytes. The endpoint's answer for 100 overlays is 50 kB.
MAX_BODY = 4 * 1024 * 1024


class HttpFault(Exception):
    """The exchange failed; the text says how."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds.

    Attributes:
        connect: To open the connection, TLS included.
        total: For the whole exchange.
    """

    connect: float
    total: float


@dataclass(slots=True)
class _Exchange:
    """What the worker thread and the time limit have in common."""

    connection: http.client.HTTPConnection
    headers: Mapping[str, str]
    target: str
    limits: Limits
    sock: socket.socket | None = field(default=None, init=False)
    abandoned: bool = field(default=False, init=False)
    body: bytes = field(default=b"", init=False)

    def run(self) -> None:
        """Do the exchange. Blocks; called in a worker thread.

        Raises:
            HttpFault: It failed, or the server did not answer 200.
        """
        try:
            self.connection.connect()
            # Kept here: http.client forgets it once the answer has begun.
            self.sock = self.connection.sock
            if self.abandoned:
                raise HttpFault("given up")
            self.sock.settimeout(self.limits.total)
            self.connection.request("GET", self.target, headers=self.headers)
            with self.connection.getresponse() as response:
                self._take(response)
        except TimeoutError:
            raise HttpFault("timed out") from None
        except (OSError, http.client.HTTPException) as error:
            raise HttpFault(str(error) or type(error).__name__) from error
        finally:
            self.connection.close()

    def _take(self, response: http.client.HTTPResponse) -> None:
        if response.status != http.HTTPStatus.OK:
            raise HttpFault(f"answered {response.status} {response.reason}".strip())
        self.body = response.read(MAX_BODY + 1)
        if len(self.body) > MAX_BODY:
            raise HttpFault(f"answered more than {MAX_BODY} bytes")

    def abandon(self) -> None:
        """Make a read that is under way end now. Safe from any thread."""
        self.abandoned = True
        if self.sock is not None:
            with contextlib.suppress(OSError):  # closed already
                # Of the plain socket: TLS would want to say goodbye first.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


async def http_get(
    url: str,
    headers: Mapping[str, str],
    *,
    limits: Limits,
    tls: ssl.SSLContext | None,
) -> bytes:
    """Get the body of a 200 answer.

    Raises:
        HttpFault: Anything else happened.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    exchange = _Exchange(_connection(url, limits, tls), headers, target, limits)
    with trio.move_on_after(limits.total) as scope:
        try:
            await trio.to_thread.run_sync(exchange.run, abandon_on_cancel=True)
        finally:
            exchange.abandon()
    if scope.cancelled_caught:
        raise HttpFault(f"did not finish within {limits.total:g} s")
    return exchange.body


def _connection(
    url: str, limits: Limits, tls: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise HttpFault(str(error)) from None
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host, port, timeout=limits.connect, context=tls
        )
    return http.client.HTTPConnection(host, port, timeout=limits.connect)
