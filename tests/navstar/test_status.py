"""What the commands' answers tell of rows."""

from dataclasses import fields
from typing import Any

from navstar.look import Look
from navstar.status import routes_json
from navstar.tables import row_json
from tests.navstar.overlay_lines import desire, line4, line6

LINES = (line4(3), line6(3), line4(4))


def shown() -> list[dict[str, Any]]:
    desired = desire(*LINES)
    rows: list[dict[str, Any]] = routes_json(Look(desired, desired.rows), LINES)["rows"]
    return rows


def test_what_is_said_of_a_row_takes_no_field_of_its_own_away() -> None:
    by_text = {row["text"]: row for row in shown()}

    for row in desire(*LINES).rows:
        told = by_text[str(row)]
        assert row_json(row).items() <= told.items()
        # Its own fields and its kind, then text, agent and state.
        said = [f for f in fields(row) if getattr(row, f.name) is not None]
        assert len(told) == len(said) + 4


def test_an_fdb_row_names_its_destination_and_the_agent_there() -> None:
    found = {
        row["destination"]: row["agent"] for row in shown() if row["kind"] == "fdb"
    }

    assert found == {str(line.agent_ip): line.name for line in LINES}
