"""What users may call a topic."""

from __future__ import annotations

from lashup.channels import RESERVED_TOPICS
from lashup.errors import LimitExceeded, UsageError
from lashup.multicast.multicast import TOPIC_LIMIT


def check_topic(topic: object) -> None:
    """Raises UsageError for a topic that a user can neither send to nor hear of."""
    if not isinstance(topic, str):
        raise UsageError(f"topic: must be a string, not {type(topic).__name__}")
    if not topic or topic.startswith(RESERVED_TOPICS):
        raise UsageError(
            f"topic: {topic!r} is lashup's, as is all that starts with "
            f"{RESERVED_TOPICS}; take another name"
        )
    if len(topic) > TOPIC_LIMIT:
        raise LimitExceeded(f"topic: of more than {TOPIC_LIMIT} characters")
