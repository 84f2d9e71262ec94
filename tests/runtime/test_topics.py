"""Followers of multicast topics."""

from __future__ import annotations

from lashup import Delivered, NodeId
from lashup.runtime.topics import Topics

ORIGIN = NodeId(bytes(16))


def message(topic: str) -> Delivered:
    return Delivered(topic, ORIGIN, b"x")


async def test_a_message_goes_to_all_who_follow_its_topic_and_to_nobody_else():
    topics = Topics()
    with (
        topics.open_feed("a") as one,
        topics.open_feed("a") as two,
        topics.open_feed("b") as other,
    ):
        topics.deliver(message("a"))
        topics.deliver(message("nobody's"))
        topics.close()

        assert [each async for each in one] == [message("a")]
        assert [each async for each in two] == [message("a")]
        assert [each async for each in other] == []


async def test_topics_that_nobody_follows_any_more_take_no_memory():
    topics = Topics()
    for number in range(100):
        with topics.open_feed(f"reply-{number}"):
            assert len(topics) == 1

    assert len(topics) == 0


async def test_a_topic_stays_while_one_of_its_followers_does():
    topics = Topics()
    with topics.open_feed("a") as stays:
        with topics.open_feed("a"):
            pass
        topics.deliver(message("a"))
        topics.close()

        assert [each async for each in stays] == [message("a")]
