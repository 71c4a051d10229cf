"""Support figures against an independent answer, and against pages read again in any order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.dbt_project.desk import EXPORTED, Desk, Row
from tests.dbt_project.harness import School

MARTS = ("support.fct_tickets", "support.agg_support_daily")
MODELS = "+agg_support_daily"


def _school(folder: Path, desk: Desk, tables: dict[str, list[Row]]) -> School:
    school = School(folder)
    school.exported_at(str(EXPORTED))
    school.means(visited="visit", joined="signup", started="plan_started", ended="plan_ended")
    school.load_events(desk.events)
    for table, rows in tables.items():
        school.insert(table, rows)
    return school


def _as_dictionaries(school: School, table: str, columns: Sequence[str]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in school.table(table, ", ".join(columns))]


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [str(value) for value in list(row.values())[:2]])


def test_every_figure_is_that_of_a_walk_over_every_ten_minutes(tmp_path: Path) -> None:
    desk = Desk(seed=20240331, tickets=400)
    school = _school(tmp_path, desk, desk.rows)

    school.build_models(MODELS)
    checked = school.build(
        "path:models/marts/support",
        "path:tests/support",
        resource_types=("test",),
        indirect_selection="eager",
    )

    assert "agg_support_daily_backlog_is_what_stands_at_the_days_end" in {
        node.name for node in checked.nodes
    }
    tickets = [ticket.expected() for ticket in desk.tickets]
    assert _sorted(_as_dictionaries(school, "support.fct_tickets", list(tickets[0]))) == _sorted(
        tickets
    )
    days = list(desk.expected_days())
    found = _as_dictionaries(school, "support.agg_support_daily", list(days[0]))
    assert _sorted(found) == _sorted(days)
    # The desk is not so tame that the walk would prove nothing.
    assert sum(row["reopens"] for row in tickets) > 50
    assert sum(row["backlog"] for row in days if row["plan"] == "SPARK") > 50
    assert {row["has_complete_history"] for row in tickets} == {True, False}


def _replayed(rows: list[Row], chance: random.Random) -> list[Row]:
    """Pages of 40 rows that overlap by some, each read one to three times, in any order; what was
    read before is marked as a repeat, or is not known as one yet."""
    pages = [rows[start : start + 40] for start in range(0, len(rows), 33)]
    pages *= 2
    pages += chance.choices(pages, k=len(pages) // 2)
    chance.shuffle(pages)
    seen: set[Any] = set()
    read = []
    for number, page in enumerate(pages):
        for row in chance.sample(page, len(page)):
            is_repeat = row["row_hash"] in seen and chance.random() < 0.7
            seen.add(row["row_hash"])
            reason = "same_row" if is_repeat else None
            read.append({**row, "file_id": number, "duplicate_reason": reason})
    return read


def test_pages_read_any_number_of_times_in_any_order_give_the_same_marts(tmp_path: Path) -> None:
    desk = Desk(seed=5, tickets=120)
    tables = []
    for seed in (None, 1, 2):
        folder = tmp_path / str(seed)
        chance = random.Random(seed)
        rows = {
            table: rows if seed is None else _replayed(rows, chance)
            for table, rows in desk.rows.items()
        }
        school = _school(folder, desk, rows)
        school.build_models(MODELS)
        tables.append([school.table(mart) for mart in MARTS])

    assert tables[1] == tables[0]
    assert tables[2] == tables[0]
    assert len(tables[0][0]) == 120
