"""The key-value store: one table of CRDT maps, the same on every node. Pure.

- `store`: writes that wait for the disk, and what everybody sees; `rows`: on disk
- `renaming`: when our actor turns out to have another life
- `digest`, `anti_entropy`, `serving`, `messages`: becoming equal to a peer
- `subscription`, `pattern`: following changes
- `limits`, `delta_codec`
- `replica`: the machine made of these. It is given peers, and knows no members.
"""
