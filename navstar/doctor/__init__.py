"""`navstar doctor`: what of this host keeps overlays from working. Changes nothing.

- `examination`: every check, and the answer
- `finding`, `host`: what a check returns, and what it looks at
- `kernel`, `settings`, `ports`, `firewall`, `managers`, `clock`: the checks
"""
