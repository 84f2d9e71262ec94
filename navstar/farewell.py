"""An agent that leaves for good waits until somebody has heard its withdrawal.

The withdrawal is on its way to everybody at once, but datagrams get lost, and who
leaves cannot repair it any more. So it asks a few members, again and again, whether
its lines are gone from their tables; one that says so has the withdrawal, and the
others get it from there.

    "navstar.gone?"  {"node": <who leaves>, "ask": [<whom it asks>, ...]}
    "navstar.gone"   {"node": <who leaves>}
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping

import trio

from lashup import Delivered, RunningNode

QUESTION = "navstar.gone?"
ANSWER = "navstar.gone"

#: Members asked at a time: one answer is enough, and each answer goes to everybody.
ASKED = 3
#: Seconds between questions.
REPEAT = 0.2
#: Seconds until the farewell is over, answered or not.
PATIENCE = 5.0


async def answer_farewells(node: RunningNode, is_gone: Callable[[str], bool]) -> None:
    """Answer whoever leaves, until cancelled.

    Args:
        node: Of lashup.
        is_gone: Whether the table holds no line of a node.
    """
    me = node.id.hex()
    async with node.listen(QUESTION) as questions:
        async for question in questions:
            asked = read_untrusted(question)
            leaver, whom = asked.get("node"), asked.get("ask")
            if not isinstance(leaver, str) or not isinstance(whom, list):
                continue
            if me in whom and is_gone(leaver):
                await node.multicast(ANSWER, json.dumps({"node": leaver}).encode())


async def wait_until_heard(node: RunningNode, *, rng: random.Random) -> bool:
    """Wait until some member has this node's withdrawal.

    Returns:
        False if there is nobody, or nobody answered in time.
    """
    heard = trio.Event()
    async with node.listen(ANSWER) as answers, trio.open_nursery() as nursery:

        async def hear() -> None:
            async for answer in answers:
                if read_untrusted(answer).get("node") == node.id.hex():
                    heard.set()

        nursery.start_soon(hear)
        with trio.move_on_after(PATIENCE):
            while not heard.is_set() and await _ask(node, rng):
                with trio.move_on_after(REPEAT):
                    await heard.wait()
        nursery.cancel_scope.cancel()
    return heard.is_set()


async def _ask(node: RunningNode, rng: random.Random) -> bool:
    """Ask a few members; false if there is none."""
    others = [member.id.hex() for member in node.live_members() if member.id != node.id]
    if not others:
        return False
    asked = rng.sample(others, min(ASKED, len(others)))
    question = {"node": node.id.hex(), "ask": asked}
    await node.multicast(QUESTION, json.dumps(question).encode())
    return True


def read_untrusted(message: object) -> Mapping[str, object]:
    """What a member multicast; empty if it is nothing of ours. Raises nothing."""
    if not isinstance(message, Delivered):
        return {}
    try:
        document = json.loads(message.payload)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
