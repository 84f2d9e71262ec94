"""The control socket, from both ends and from clients that misbehave."""

import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trio

from navstar.commands import Commands
from navstar.control import MAX_REQUEST, Reply, is_running, request
from navstar.control_server import serve_control
from navstar.errors import ControlError, NavstarError, NotRunning


class Parrot:
    """A handler that says what it was asked, and keeps it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.replies: list[Reply] = []

    async def answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
        self.asked.append((command, arguments))
        if command == "fail":
            raise NavstarError("not today")
        return {"command": command, **arguments}

    def after_reply(self, reply: Reply) -> None:
        self.replies.append(reply)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "navstar.sock"


@pytest.fixture
async def parrot(path: Path, nursery) -> Parrot:
    one = Parrot()
    await nursery.start(serve_control, path, one)
    return one


async def ask(path: Path, command: str, **arguments: object) -> Reply:
    def call() -> Reply:
        return request(path, command, **arguments)

    return await trio.to_thread.run_sync(call)


async def send(path: Path, data: bytes) -> Reply:
    """Send bytes as they are, hang up the sending half, and read the answer."""
    stream = await trio.open_unix_socket(str(path))
    async with stream:
        await stream.send_all(data)
        stream.socket.shutdown(socket.SHUT_WR)
        answer = b"".join([chunk async for chunk in stream])
    reply: Reply = json.loads(answer)
    return reply


async def test_a_command_gets_its_result(path: Path, parrot: Parrot) -> None:
    assert await ask(path, "down", leave=True) == {"command": "down", "leave": True}
    assert parrot.asked == [("down", {"leave": True})]


async def test_an_error_of_the_daemon_is_the_clients_error(path, parrot) -> None:
    with pytest.raises(ControlError, match="not today"):
        await ask(path, "fail")


async def test_the_daemon_hears_which_reply_is_out(path: Path, parrot) -> None:
    await ask(path, "status")
    await send(path, b"")
    with pytest.raises(ControlError):
        await ask(path, "fail")
    await ask(path, "plan")

    assert parrot.replies == [{"command": "status"}, {"command": "plan"}]


async def test_a_client_that_does_not_take_its_reply_is_no_hindrance(
    path: Path, nursery, autojump_clock
) -> None:
    is_over = trio.Event()

    class Verbose(Parrot):
        async def answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
            await super().answer(command, arguments)
            return {"text": "x" * 50_000_000}

        def after_reply(self, reply: Reply) -> None:
            is_over.set()

    await nursery.start(serve_control, path, Verbose())
    stream = await trio.open_unix_socket(str(path))
    async with stream:
        await stream.send_all(b'{"command": "status"}\n')
        with trio.fail_after(20):
            await is_over.wait()


async def test_who_leaves_has_the_answer_before_the_daemon_ends_for_others() -> None:
    class Leaving(Commands):
        async def _answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
            if command == "status":
                return {"state": "down"}
            return await super()._answer(command, arguments)

        async def _say_goodbye(self) -> Reply:
            return {"withdrawn": 2}

    class StoppableAgent:
        def __init__(self) -> None:
            self.stop = trio.Event()

    agent = StoppableAgent()
    commands = Leaving(agent)  # type: ignore[arg-type]
    farewell = await commands.answer("down", {"leave": True})
    other = await commands.answer("status", {})

    commands.after_reply(other)
    commands.after_reply(dict(farewell))
    assert not agent.stop.is_set()
    commands.after_reply(farewell)
    assert agent.stop.is_set()


async def test_only_the_owner_may_open_the_socket(path: Path, parrot: Parrot) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_directories_on_the_way_to_the_socket_can_be_passed(
    tmp_path: Path, nursery
) -> None:
    deep = tmp_path / "run" / "navstar" / "navstar.sock"

    await nursery.start(serve_control, deep, Parrot())

    for directory in (deep.parent, deep.parent.parent):
        assert stat.S_IMODE(os.stat(directory).st_mode) & 0o700 == 0o700


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "newline", id="nothing"),
        pytest.param(b'{"command": "status"}', "newline", id="cut-off"),
        pytest.param(b"\xff\xfe\n", "not JSON", id="no-text"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "not JSON", id="another-protocol"),
        pytest.param(b"[" * 60_000 + b"\n", "not JSON", id="deep"),
        pytest.param(b"[]\n", "a request is like", id="no-object"),
        pytest.param(b'{"command": 3}\n', "a request is like", id="no-command"),
        pytest.param(b"x" * (MAX_REQUEST + 1), "at most", id="oversize"),
    ],
)
async def test_what_is_no_request_gets_an_error_and_never_reaches_the_daemon(
    path: Path, parrot: Parrot, data: bytes, says: str
) -> None:
    reply = await send(path, data)

    assert reply["ok"] is False
    assert says in reply["error"]
    assert parrot.asked == []
    assert await ask(path, "status") == {"command": "status"}


async def test_a_client_that_never_ends_its_request_is_cut_off(path, parrot) -> None:
    async def talk_on(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(b"x" * MAX_REQUEST)

    stream = await trio.open_unix_socket(str(path))
    async with stream:
        with trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
            await talk_on(stream)

    assert parrot.asked == []
    assert await ask(path, "status") == {"command": "status"}


async def test_a_client_that_says_nothing_is_dropped_and_others_are_served(
    path: Path, parrot: Parrot, autojump_clock
) -> None:
    stream = await trio.open_unix_socket(str(path))
    async with stream:
        answer = b"".join([chunk async for chunk in stream])

    assert "did not come within 10 s" in json.loads(answer)["error"]


async def test_a_client_that_hangs_up_harms_nobody(path: Path, parrot: Parrot) -> None:
    for _ in range(50):
        stream = await trio.open_unix_socket(str(path))
        await stream.send_all(b'{"command": "status"}\n')
        await stream.aclose()

    assert await ask(path, "status") == {"command": "status"}


async def test_a_stale_socket_file_is_replaced(path: Path, nursery) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    await nursery.start(serve_control, path, Parrot())

    assert await ask(path, "status") == {"command": "status"}


async def test_a_live_socket_is_refused_and_named(path: Path, parrot: Parrot) -> None:
    with pytest.raises(ControlError, match=r"running already.*navstar\.sock"):
        await serve_control(path, Parrot())

    assert await ask(path, "status") == {"command": "status"}


async def test_a_file_that_is_no_socket_is_not_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")  # noqa: ASYNC240

    with pytest.raises(ControlError, match="not a socket"):
        await serve_control(path, Parrot())

    assert path.read_text() == "precious"  # noqa: ASYNC240


async def test_a_path_that_is_too_long_is_an_error_with_the_path(tmp_path) -> None:
    with pytest.raises(ControlError, match="too long"):
        await serve_control(tmp_path / ("x" * 120), Parrot())


async def test_at_the_end_the_socket_file_is_gone(path: Path) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, path, Parrot())
        nursery.cancel_scope.cancel()

    assert not path.exists()  # noqa: ASYNC240


def test_nobody_there_is_said_to_be_nobody(path: Path) -> None:
    with pytest.raises(NotRunning, match="no navstar is running"):
        request(path, "status")
    assert not is_running(path)


@pytest.fixture
def stranger(path: Path) -> Iterator[socket.socket]:
    """Somebody else who listens there; the backlog answers connects."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


@pytest.mark.parametrize("answer", [b"", b"220 smtp\r\n", b"{}\n", b'{"ok": true}'])
async def test_somebody_else_at_the_socket_is_recognised(
    path, stranger, answer
) -> None:
    def speak() -> None:
        connection, _ = stranger.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, speak)
        with pytest.raises(ControlError, match="does not talk as navstar does"):
            await ask(path, "status")
