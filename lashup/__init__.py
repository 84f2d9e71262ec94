"""Membership, replicated values and a gossiped store, over UDP, with no master.

    async with open_node(NodeConfig(name="a", seeds=[("10.0.0.1", 7946)])) as node:
        await node.kv.update(("services", "web"), register("port").assign(8080))

Layout, from the bottom. All but the runtime is pure: bytes, calls and the time go in,
effects come out.

- `errors`, `machine`: what everything shares
- `wire`: sealed datagrams; `reconcile`: two tables walked to where they differ
- `crdt`, `kv`: replicated values, and the table made of them
- `membership`, `multicast`: who is there, and telling all of them something
- `node`: the one composition
- `runtime`: sockets, disk and clock
"""
