"""What goes on the wire: sealed datagrams, frames, fragments, and checked reading.

- `readers`: msgpack from strangers, field by field.
- `keyring`, `envelope`: who may speak at all, and proof that nothing was changed.
- `frames`: several machines' messages in one datagram.
- `fragments`: one message in several datagrams.
"""
