"""Messages to all members at once, along trees that every member can compute."""

from lashup.multicast.multicast import (
    Branch,
    Delivered,
    Effect,
    Multicast,
    MulticastConfig,
    View,
)

__all__ = ("Branch", "Delivered", "Effect", "Multicast", "MulticastConfig", "View")
