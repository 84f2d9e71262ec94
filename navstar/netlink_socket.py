"""A route netlink socket: requests in batches, and dumps.

Theory of operation. The kernel works through all messages of one send before the
send returns, and goes on behind one that it refuses. So a batch asks for an ack on
its last message only: a refused one answers for itself, by its sequence number, and
when the last ack is there every answer is. Answers to earlier, abandoned requests
are known by their sequence numbers and dropped.

A socket may move between threads, but is used by one at a time. It stays in the
network namespace of the thread that opened it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from navstar.netlink_codec import (
    HEADER,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    S32,
    Message,
    Request,
    error_of,
    message,
    messages,
)

EntryT = TypeVar("EntryT")

#: Messages in one send; more gains nothing (measured: 70,000 rows/s at 64).
BATCH = 64

#: A dump that met a change is repeated this often; then what it gave has to do. What
#: it missed is put again, which changes nothing.
_DUMP_ATTEMPTS = 4

#: Seconds. The kernel answers while it works; silence is a bug or a lost answer.
_ANSWER_TIMEOUT = 5.0

#: The kernel fills at most 32 KiB into one part of a dump.
_RECEIVE_SIZE = 1 << 16

_LAST_SEQUENCE = 1 << 31

#: RTM_GETLINK is answered by RTM_NEWLINK, two below, and so are all the others.
_NEW = 2

_SOL_NETLINK = 270
_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 10, 11, 12


class Refusal(NamedTuple):
    """The kernel's no: errno and its own words, possibly none."""

    errno: int
    text: str

    def __str__(self) -> str:
        return self.text or os.strerror(self.errno)


class NetlinkSocket:
    """One socket. Blocks; use it from a worker thread, one thread at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0
        )
        try:
            self._socket.bind((0, 0))
            self._socket.settimeout(_ANSWER_TIMEOUT)
            for option in (
                _NETLINK_CAP_ACK,
                _NETLINK_EXT_ACK,
                _NETLINK_GET_STRICT_CHK,
            ):
                self._allow(option)
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0

    def _allow(self, option: int) -> None:
        """Switch an option on; kernels before 4.20 do without the last."""
        try:
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError:
            return

    @property
    def port(self) -> int:
        """Marks the notifications that our own requests cause."""
        name: tuple[int, int] = self._socket.getsockname()
        return name[0]

    def close(self) -> None:
        """Close; closing twice is fine."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _next_sequence(self) -> int:
        """Numbers start again long before they no longer fit into 32 bits."""
        return self._sequence + 1 if self._sequence < _LAST_SEQUENCE else 1

    def transact(self, requests: Sequence[Request]) -> dict[int, Refusal]:
        """Carry out requests in order; a refused one stops nothing.

        Returns:
            The refused ones, by their position in `requests`.

        Raises:
            OSError: The socket itself fails: no answer, closed, no memory. What
                was carried out is unknown.
        """
        refused: dict[int, Refusal] = {}
        for start in range(0, len(requests), BATCH):
            first = self._send(requests[start : start + BATCH])
            for sequence, refusal in self._answers(first).items():
                refused[start + sequence - first] = refusal
        return refused

    def _send(self, batch: Sequence[Request]) -> int:
        """Send one batch, the last message asking for an ack; its first number."""
        first = self._next_sequence()
        last = first + len(batch) - 1
        self._sequence = last
        parts = []
        for sequence, (kind, flags, body) in enumerate(batch, first):
            flags |= NLM_F_REQUEST | (NLM_F_ACK if sequence == last else 0)
            parts.append(message(kind, flags, sequence, body))
        self._socket.send(b"".join(parts))
        return first

    def _answers(self, first: int) -> dict[int, Refusal]:
        """Wait for the ack, or the error, of the last message that was sent."""
        refused: dict[int, Refusal] = {}
        while True:
            for answer in messages(self._socket.recv(_RECEIVE_SIZE)):
                if answer.type != NLMSG_ERROR or answer.sequence < first:
                    continue
                errno, text = error_of(answer)
                if errno:
                    refused[answer.sequence] = Refusal(errno, text)
                if answer.sequence == self._sequence:
                    return refused

    def get(self, kind: int, body: bytes) -> Message | None:
        """Ask for one thing; None when there is no such thing.

        Raises:
            OSError: The socket itself fails.
        """
        self._sequence = self._next_sequence()
        self._socket.send(message(kind, NLM_F_REQUEST, self._sequence, body))
        while True:
            for answer in messages(self._socket.recv(_RECEIVE_SIZE)):
                if answer.sequence == self._sequence:
                    return None if answer.type == NLMSG_ERROR else answer

    def dump(
        self, kind: int, body: bytes, read: Callable[[Message], EntryT | None]
    ) -> list[EntryT]:
        """A whole table, as filtered by `body`.

        Args:
            kind: Which one, e.g. `Rtm.GETROUTE`.
            body: The filter.
            read: Makes an entry of a message, or None of one that does not matter.
                It must not use this socket.

        Raises:
            OSError: The kernel refuses the dump, or the socket fails.
        """
        bodies = self.dump_bodies(kind, body)
        told = (Message(kind - _NEW, 0, self._sequence, 0, each) for each in bodies)
        return [entry for each in told if (entry := read(each)) is not None]

    def dump_bodies(self, kind: int, body: bytes) -> list[bytes]:
        """A whole table as it comes: what stands behind the header of each message.

        For tables of thousands of rows, where making a `Message` of each counts.

        Raises:
            OSError: As for `dump`.
        """
        for _ in range(_DUMP_ATTEMPTS):
            bodies, is_consistent = self._dump_once(kind, body)
            if is_consistent:
                break
        return bodies

    def _dump_once(self, kind: int, body: bytes) -> tuple[list[bytes], bool]:
        """The bodies, and whether the table stood still meanwhile."""
        self._sequence = self._next_sequence()
        flags = NLM_F_REQUEST | NLM_F_DUMP
        self._socket.send(message(kind, flags, self._sequence, body))
        bodies: list[bytes] = []
        is_consistent = True
        while True:
            data = self._socket.recv(_RECEIVE_SIZE)
            at, end = 0, len(data)
            while at + HEADER.size <= end:
                length, told, flags, sequence, _ = HEADER.unpack_from(data, at)
                if length < HEADER.size or at + length > end:
                    break
                start, at = at + HEADER.size, at + (length + 3 & ~3)
                if sequence != self._sequence:
                    continue
                is_consistent = is_consistent and not flags & NLM_F_DUMP_INTR
                if told > NLMSG_DONE:
                    bodies.append(data[start : start + length - HEADER.size])
                    continue
                answer = Message(told, flags, sequence, 0, data[start:at])
                if _is_end_of_dump(answer, kind):
                    return bodies, is_consistent


def _is_end_of_dump(answer: Message, kind: int) -> bool:
    """Whether this message says that there are no more.

    Raises:
        OSError: It says that the kernel refuses, or had to break off.
    """
    if answer.type == NLMSG_ERROR:
        errno, text = error_of(answer)
        raise OSError(errno, f"dump {kind}: {Refusal(errno, text)}")
    if answer.type == NLMSG_DONE and answer.body:
        errno = -S32.unpack_from(answer.body)[0]
        if errno:
            raise OSError(errno, f"dump {kind}: {os.strerror(errno)}")
    return answer.type == NLMSG_DONE
