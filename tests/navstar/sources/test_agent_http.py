"""The source against a real HTTP server on loopback."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from navstar.allocation import Allocation
from navstar.config import AgentHttpSource as Section
from navstar.config import TlsSection
from navstar.errors import Unusable
from navstar.sources import Fault, Reading
from navstar.sources.agent_http import AgentHttpSource, url_of
from navstar.sources.http_get import MAX_BODY, HttpFault, Limits, http_get
from tests.navstar.sources.test_agent_answer import ANSWER

Handler = BaseHTTPRequestHandler
Respond = Callable[[Handler], None]

#: No test waits for the limits; they bound one that hangs.
EXCHANGE: dict[str, Any] = {"limits": Limits(connect=5, total=20), "tls": None}


class Endpoint:
    """A server that answers as the test says, and keeps what it was asked."""

    def __init__(self, server: ThreadingHTTPServer, released: threading.Event) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/overlay-agent/overlay"
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = released
        #: Of the source that asks; set by the test.
        self.kept = Path("/nonexistent/kept")
        self.respond: Respond = lambda handler: reply(handler, 200, ANSWER)


def reply(handler: Handler, status: int, document: object) -> None:
    body = json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving() -> Iterator[Endpoint]:
    class Served(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.requests.append((self.path, dict(self.headers)))
            try:
                endpoint.respond(self)
            except OSError:
                self.close_connection = True  # The client has seen enough.

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    released = threading.Event()
    endpoint = Endpoint(server, released)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield endpoint
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(name="endpoint")
def _endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with serving() as one:
        one.kept = tmp_path / "kept.json"
        yield one


def source(endpoint: Endpoint, **fields: object) -> AgentHttpSource:
    section = Section.model_validate(
        {"kind": "agent-http", "url": endpoint.url, "poll_period": 0.01} | fields
    )
    return AgentHttpSource(
        section,
        kept=endpoint.kept,
        user_agent="navstar@10.0.0.2 (pid 1)",
        rng=random.Random(1),
    )


async def readings(endpoint: Endpoint, count: int, **fields: object) -> list[Reading]:
    send, receive = trio.open_memory_channel[Reading](0)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source(endpoint, **fields).run, send)
            found = [await receive.receive() for _ in range(count)]
            nursery.cancel_scope.cancel()
    return found


async def fault(endpoint: Endpoint, **fields: object) -> str:
    (found,) = await readings(endpoint, 1, **fields)
    assert isinstance(found, Fault)
    return found.reason


async def test_the_endpoints_overlays_become_the_allocation(endpoint) -> None:
    (found,) = await readings(endpoint, 1)

    assert isinstance(found, Allocation)
    assert [overlay.name for overlay in found.overlays] == ["dcos", "dcos6"]


async def test_the_request_is_the_originals(endpoint) -> None:
    await readings(endpoint, 1, token="s3cret")  # noqa: S106

    path, headers = endpoint.requests[0]
    assert path == "/overlay-agent/overlay"
    assert headers["Accept"] == "application/json"
    assert headers["Authorization"] == "token=s3cret"
    assert headers["User-Agent"] == "navstar@10.0.0.2 (pid 1)"


async def test_the_token_may_come_from_the_environment_or_a_file(
    endpoint, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("SERVICE_AUTH_TOKEN", "from-environment")
    await readings(endpoint, 1)
    (tmp_path / "token").write_text("from-file\n")
    await readings(endpoint, 1, token_file=str(tmp_path / "token"))

    sent = [headers["Authorization"] for _, headers in endpoint.requests]
    assert sent[0] == "token=from-environment"
    assert sent[-1] == "token=from-file"


async def test_only_what_changed_is_said(endpoint) -> None:
    fewer = ANSWER | {"overlays": ANSWER["overlays"][:1]}
    answers = [ANSWER, ANSWER, ANSWER, fewer]
    endpoint.respond = lambda handler: reply(
        handler, 200, answers.pop(0) if answers else fewer
    )

    first, second = await readings(endpoint, 2)

    assert isinstance(first, Allocation)
    assert isinstance(second, Allocation)
    assert (len(first.overlays), len(second.overlays)) == (2, 1)


async def test_every_poll_is_counted_and_those_that_failed(endpoint) -> None:
    answers = [(200, ANSWER), (500, {}), (200, {"overlays": 7})]
    endpoint.respond = lambda handler: reply(handler, *answers.pop(0))
    asked = source(endpoint)
    send, receive = trio.open_memory_channel[Reading](0)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asked.run, send)
            said = [await receive.receive() for _ in range(3)]
            nursery.cancel_scope.cancel()

    assert [isinstance(one, Fault) for one in said] == [False, True, True]
    assert (asked.tally.reads, asked.tally.failed) == (3, 2)
    assert asked.tally.seconds > 0


@pytest.mark.parametrize(
    ("status", "says"), [(401, "401"), (500, "500"), (404, "404"), (204, "204")]
)
async def test_another_status_is_a_fault(endpoint, status: int, says: str) -> None:
    endpoint.respond = lambda handler: reply(handler, status, {})

    assert f"answered {says}" in await fault(endpoint)


async def test_a_redirect_is_not_followed(endpoint) -> None:
    def redirect(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", endpoint.url + "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    endpoint.respond = redirect

    assert "answered 302" in await fault(endpoint)
    assert {path for path, _ in endpoint.requests} == {"/overlay-agent/overlay"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 99_999])
async def test_what_is_not_the_json_expected_is_a_fault(endpoint, body: bytes) -> None:
    def respond(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    endpoint.respond = respond

    assert endpoint.url in await fault(endpoint)


async def test_a_huge_answer_is_not_taken_in(endpoint) -> None:
    def respond(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(MAX_BODY // 65_536 + 2):
            handler.wfile.write(b" " * 65_536)

    endpoint.respond = respond

    assert "more than" in await fault(endpoint)


async def test_a_cut_answer_is_a_fault(endpoint) -> None:
    def respond(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{")

    endpoint.respond = respond

    assert await fault(endpoint)


async def test_a_server_that_drips_is_given_up_in_time(endpoint) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        # Each byte comes within any timeout of a single read.
        while not endpoint.released.wait(0.01):
            handler.wfile.write(b" ")

    endpoint.respond = drip

    assert "did not finish within 0.2 s" in await fault(endpoint, timeout=0.2)


async def test_a_server_that_says_nothing_is_given_up_in_time(endpoint) -> None:
    endpoint.respond = lambda _: endpoint.released.wait(20) and None

    assert "within 0.1 s" in await fault(endpoint, timeout=0.1)


async def test_a_stopping_daemon_hangs_up_on_a_slow_server(endpoint) -> None:
    asked, hung_up = threading.Event(), threading.Event()

    def say_nothing(handler: Handler) -> None:
        asked.set()
        handler.connection.settimeout(20)
        if handler.connection.recv(1) == b"":
            hung_up.set()

    endpoint.respond = say_nothing

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(http_get, endpoint.url, {}, **EXCHANGE))
            assert await trio.to_thread.run_sync(asked.wait, 10)
            nursery.cancel_scope.cancel()

    assert await trio.to_thread.run_sync(hung_up.wait, 10)


async def test_nobody_listening_is_a_fault_that_is_tried_again() -> None:
    with serving() as gone:
        pass

    assert "refused" in await fault(gone)


async def test_after_a_fault_the_next_good_answer_counts(endpoint) -> None:
    answers = [500, 500, 200]
    endpoint.respond = lambda handler: reply(
        handler, answers.pop(0) if answers else 200, ANSWER
    )

    first, second = await readings(endpoint, 2)

    assert isinstance(first, Fault)
    assert isinstance(second, Allocation)


async def test_faults_back_off_and_success_returns_to_the_poll_period(
    autojump_clock, monkeypatch, tmp_path
) -> None:
    asked_at: list[float] = []

    async def scripted(*_: object, **__: object) -> bytes:
        asked_at.append(trio.current_time())
        if len(asked_at) in (1, 9, 10):
            return b'{"overlays": [{"info": {"enabled": false}}]}'
        raise HttpFault("down")

    monkeypatch.setattr("navstar.sources.agent_http.http_get", scripted)
    section = Section(kind="agent-http", poll_period=30.0)
    send, _receive = trio.open_memory_channel[Reading](100)
    # All disabled is an answer, and nothing to be kept: no thread upsets the clock.
    (tmp_path / "kept").write_text('{"crc32": 223132457, "overlays": []}')
    polled = AgentHttpSource(
        section, kept=tmp_path / "kept", user_agent="x", rng=random.Random(1)
    )

    with trio.move_on_after(250):
        await polled.run(send)

    waits = [b - a for a, b in pairwise(asked_at)]
    for waited, nominal in zip(
        waits, [30, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=False
    ):
        assert 0.9 * nominal <= waited <= 1.1 * nominal


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "http://127.0.0.1:5051/overlay-agent/overlay"),
        ({"role": "master"}, "http://127.0.0.1:5050/overlay-agent/overlay"),
        ({"port": 1, "host": "::1"}, "http://[::1]:1/overlay-agent/overlay"),
        ({"tls": TlsSection()}, "https://127.0.0.1:5051/overlay-agent/overlay"),
        ({"url": "http://a:9"}, "http://a:9/overlay-agent/overlay"),
        ({"url": "http://a:9/x?y"}, "http://a:9/x?y"),
    ],
)
def test_the_address_follows_role_port_and_tls(fields, url: str) -> None:
    assert url_of(Section(kind="agent-http", **fields)) == url


@pytest.mark.parametrize(
    "fields",
    [
        {"token_file": "/nonexistent"},
        {"tls": {"ca": "/nonexistent"}},
        {"tls": {"cert": "/nonexistent", "key": "/nonexistent"}},
    ],
)
def test_a_missing_file_stops_the_start_and_is_named(fields, tmp_path) -> None:
    section = Section.model_validate({"kind": "agent-http"} | fields)

    with pytest.raises(Unusable, match=r"source\."):
        AgentHttpSource(
            section, kept=tmp_path / "kept", user_agent="x", rng=random.Random(1)
        )
