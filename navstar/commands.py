"""What the running daemon does for its operator, command by command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lashup import LashupError
from navstar.control import Reply
from navstar.errors import ControlError
from navstar.farewell import wait_until_heard
from navstar.inspection import diff_json, explain_json
from navstar.leases import is_cut_off
from navstar.status import (
    members_json,
    plan_json,
    removed_json,
    routes_json,
    status_json,
)

if TYPE_CHECKING:
    from navstar.agent import Agent


class Commands:
    """Answers for one agent; see `control_server.Handler`."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._is_leaving = False
        #: The reply to who let this agent leave, once it has left.
        self._farewell: Reply | None = None

    async def answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
        """Carry a command out.

        Raises:
            NavstarError: It is not known, or cannot be done now.
        """
        try:
            return await self._answer(command, arguments)
        except OSError as error:
            raise ControlError(f"the kernel cannot be asked: {error}") from error
        except LashupError as error:
            raise ControlError(f"the table takes no writes now: {error}") from error

    def after_reply(self, reply: Reply) -> None:
        """End the daemon once the operator who let it leave knows that it has."""
        if reply is self._farewell:
            self._agent.stop.set()

    async def _answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
        agent = self._agent
        match command, dict(arguments):
            case "status", {}:
                return status_json(agent)
            case "members", {}:
                return members_json(agent)
            case "plan", {}:
                return plan_json(await agent.reconciler.plan())
            case "routes", {}:
                look = await agent.reconciler.plan()
                return routes_json(look, agent.table.lines)
            case "diff", {}:
                return await diff_json(agent)
            case "explain", {"address": address}:
                return await explain_json(agent, address)
            case "down", {"leave": True}:
                return await self._leave()
            case "down", {"leave": leave} if leave is not False:
                raise ControlError(f"leave: should be true or false, not {leave!r}")
            case "down", {}:
                return await self._down()
            case "up", {}:
                agent.reconciler.come_up()
                return {"state": agent.reconciler.mode.value}
            case "confirm", {}:
                return {"confirmed": agent.reconciler.confirm()}
            case "forget", {"agent": str(name), "force": bool(force)}:
                return await (self._forget if force else self._forget_dead)(name)
            case "forget", {"agent": str(name)}:
                return await self._forget_dead(name)
            case _:
                raise ControlError(
                    f"{command[:64]!r} is not a command of this version; there are "
                    "status, members, plan, routes, diff, explain, down, up, confirm, "
                    "forget"
                )

    async def _forget_dead(self, name: str) -> Reply:
        """The same, where this agent is one that can know who is dead."""
        agent = self._agent
        agents = {line.node for line in await agent.lines_now()}
        alive = {member.id.hex() for member in agent.node.live_members()} | {agent.me}
        if not agent.node.kv.is_synchronised or is_cut_off(agents, alive):
            raise ControlError(
                f"this agent hears {len(agents & alive)} of {len(agents)} agents, "
                "itself included, and may be the one that is cut off: say it to one "
                "that hears more of them, or say --force"
            )
        return await self._forget(name)

    async def _forget(self, name: str) -> Reply:
        """Take the lines of an agent back that is dead and will not return."""
        agent = self._agent
        lines = [
            line for line in await agent.lines_now() if name in (line.name, line.node)
        ]
        nodes = sorted({line.node for line in lines})
        if not nodes:
            raise ControlError(f"no line of the table is of an agent {name[:64]!r}")
        if len(nodes) > 1:
            ids = ", ".join(nodes)
            raise ControlError(f"several agents are called {name!r}: name one of {ids}")
        if nodes == [agent.me]:
            raise ControlError(f"{name} is this agent; 'navstar down --leave' is meant")
        if nodes[0] in {member.id.hex() for member in agent.node.live_members()}:
            raise ControlError(
                f"{name} is alive, and would say again what is taken back; "
                "'navstar down --leave' there takes it out"
            )
        agent.log.info("forgetting an agent", agent=lines[0].name, node=nodes[0])
        await agent.publisher.withdraw(lines)
        return {"agent": lines[0].name, "node": nodes[0], "withdrawn": len(lines)}

    async def _down(self) -> Reply:
        self._agent.log.info("going down: taking our rows out of the kernel")
        removed = await self._agent.reconciler.go_down()
        return removed_json(removed)

    async def _leave(self) -> Reply:
        """Withdraw, make sure that it was heard, go down, say goodbye."""
        if self._is_leaving:
            raise ControlError("this agent is leaving already")
        self._is_leaving = True
        try:
            self._farewell = await self._say_goodbye()
            return self._farewell
        finally:
            # The kernel may have refused to be asked: then it can be tried again.
            self._is_leaving = self._farewell is not None

    async def _say_goodbye(self) -> Reply:
        agent = self._agent
        agent.log.info("leaving for good")
        withdrawn = await agent.publisher.fall_silent(agent.lines_now)
        is_heard = await wait_until_heard(agent.node, rng=agent.rng)
        reply = await self._down()
        await agent.node.leave()
        return {**reply, "withdrawn": withdrawn, "heard": is_heard}
