"""Agreement by hash, repair by difference: two tables, walked to where they differ.

Theory of operation
-------------------
Both the member table and the key-value store are tables of records under keys
of a fixed size. A `Summary` places every key in one of 65,536 ranges by a keyed
hash, and knows the sum of the record hashes of each range, of 16 ranges together, of
256 together, and of all (the root).

Two nodes with equal roots hold equal tables. Where roots differ, the node that
noticed takes a `Walk`: it asks for the sums of the root's 256 children, then for the
children of those that differ, and comes to lists of records with at most four
questions in a row. The one who answers keeps no state. A lost question or answer is
asked again.

What travels is short. Of a sum go three bytes, of a record's hash four: the top of the
product with an odd number, the *salt*, which is another one in every walk. A
difference that this hides (one in four million) shows in the next walk, for the roots
stay unequal. One question is about many ranges, and a range with few records is listed
instead of summed up, so small tables need one question.

The record hash is the caller's: a 64-bit hash of all that must agree. Sums are
modulo 2**64; addition, not exclusive or, which linear algebra can steer.
"""

from lashup.reconcile.summary import Summary, keyed_hash
from lashup.reconcile.walk import Sought, Walk

__all__ = ["Sought", "Summary", "Walk", "keyed_hash"]
