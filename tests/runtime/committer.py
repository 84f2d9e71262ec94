"""A process that commits batches until it is killed, and tells each that is durable.

python committer.py DIRECTORY FIRST ROWS_PER_BATCH
"""

import sys
from pathlib import Path

from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage


def batch(number: int, rows: int) -> list[Persist]:
    """Batch `number`: its rows, the number itself, and the last batch's rows gone."""
    head = number.to_bytes(8, "big")
    before = (number - 1).to_bytes(8, "big")
    keys = [row.to_bytes(4, "big") for row in range(rows)]
    return [
        Persist(
            number,
            puts=tuple(("fact", head + key, bytes(200)) for key in keys),
            deletes=tuple(("fact", before + key) for key in keys),
        ),
        Persist(number, puts=(("meta", b"number", head),)),
    ]


def main() -> None:
    directory, first, rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    storage = SqliteStorage(directory, cluster="prod")
    sys.stdout.write("open\n")
    sys.stdout.flush()
    for number in range(first, first + 1_000_000):
        storage.commit(batch(number, rows))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
