"""Messages and bytes by kind, in and out: plain numbers for an exporter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Traffic:
    """Counts since the start. Every kind is there from the first, at zero.

    Args:
        kinds: Names of the kinds of messages.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        kinds = tuple(kinds)
        self._sent = {kind: [0, 0] for kind in kinds}
        self._received = {kind: [0, 0] for kind in kinds}

    def sent(self, kind: str, size: int) -> None:
        """A message of so many bytes, unsealed, is sent.

        Raises:
            KeyError: There is no such kind.
        """
        _count(self._sent[kind], size)

    def received(self, kind: str, size: int) -> None:
        """A message of so many bytes, unsealed, has come.

        Raises:
            KeyError: There is no such kind.
        """
        _count(self._received[kind], size)

    def statistics(self) -> dict[str, int]:
        """The counts by name: `sent_KIND`, `sent_KIND_bytes`, `received_KIND` ..."""
        numbers: dict[str, int] = {}
        for way, counts_of in (("sent", self._sent), ("received", self._received)):
            for kind, (messages, size) in counts_of.items():
                numbers[f"{way}_{kind}"] = messages
                numbers[f"{way}_{kind}_bytes"] = size
        return numbers


def flat(
    groups: Mapping[str, Mapping[str, int | float]],
) -> dict[str, int | float]:
    """Numbers of several parts in one, as `PART_NAME`."""
    return {
        f"{group}_{name}": value
        for group, values in groups.items()
        for name, value in values.items()
    }


def _count(counts: list[int], size: int) -> None:
    counts[0] += 1
    counts[1] += size
