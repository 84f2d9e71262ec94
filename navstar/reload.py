"""What a running daemon can take over from a configuration that is read again. Pure.

What decides in each pass anew can change between two passes. What was opened with
the old value (sockets, the store, the source, the log) needs a restart, which costs
nothing either: the rows stay, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from navstar.config import Config, ReconcileSection
from navstar.schedule import Timing
from navstar.withdrawal import Caution, Release

#: Fields that a running daemon takes over; the last part may be any.
SAFE = (
    "reconcile.", "overlay.agent_ip", "lashup.bind", "lashup.advertise", "lashup.seeds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reload:
    """What is different in the new configuration, by field.

    Attributes:
        taken: What counts from now on.
        needs_restart: What stays as it was until then.
    """

    taken: tuple[str, ...]
    needs_restart: tuple[str, ...]


def compare(old: Config, new: Config) -> Reload:
    """Say what a reload changes, and what it cannot."""
    fields = tuple(_differing(old, new))
    safe = tuple(field for field in fields if field.startswith(SAFE))
    return Reload(safe, tuple(field for field in fields if field not in safe))


def merged(old: Config, new: Config) -> Config:
    """The old configuration with what a running daemon takes over of the new one."""
    overlay = old.overlay.model_copy(update={"agent_ip": new.overlay.agent_ip})
    lashup = old.lashup.model_copy(
        update={
            "bind": new.lashup.bind,
            "advertise": new.lashup.advertise,
            "seeds": new.lashup.seeds,
        }
    )
    return old.model_copy(
        update={"reconcile": new.reconcile, "overlay": overlay, "lashup": lashup}
    )


def _differing(old: Config, new: Config) -> Iterator[str]:
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if type(before) is not type(after):
            yield f"{name}.kind"
            continue
        for field in type(before).model_fields:
            if getattr(before, field) != getattr(after, field):
                yield f"{name}.{field}"


def caution(section: ReconcileSection) -> Caution:
    """How careful the configuration wants withdrawals."""
    return Caution(
        max_withdrawal=section.max_withdrawal,
        brake_delay=section.brake_delay,
        release=Release(section.brake),
        grace=section.grace,
    )


def timing(section: ReconcileSection) -> Timing:
    """When the configuration wants passes."""
    return Timing(
        coalesce=section.coalesce,
        kernel_coalesce=section.kernel_coalesce,
        audit_period=section.audit_period,
    )
