"""The figures that asset checks judge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.loading import checks


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            resources.files("orchestration.loading").joinpath("schema.sql").read_text()
        )
        yield connection


def add_file(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    *,
    source: str = "amplitude_events",
    status: str = "loaded",
    reason: str | None = None,
    hour: datetime | None = None,
    rows_in: int = 0,
    loaded: int | None = None,
    quarantined: int = 0,
    loaded_by: str = "run",
) -> None:
    loaded = rows_in - quarantined if loaded is None else loaded
    connection.execute(
        """
        insert into raw.loaded_files by name select
            $file_id as file_id, $path as path, $path as landed_path, $source as source,
            $status as status, $reason as reason, 1 as size, 1 as stored_size, 1 as modified_ns,
            '' as landed_hash, '' as content_hash, '' as contract_hash,
            $hour::timestamp as exported_hour, $rows_in as rows_in, $loaded as loaded,
            0 as duplicates, $quarantined as quarantined, 0 as not_in_plan, 0 as erased,
            $loaded_by as loaded_by
        """,
        {
            "file_id": abs(hash(path)),
            "path": path,
            "source": source,
            "status": status,
            "reason": reason,
            "hour": hour,
            "rows_in": rows_in,
            "loaded": loaded,
            "quarantined": quarantined,
            "loaded_by": loaded_by,
        },
    )


def add_hour(
    connection: duckdb.DuckDBPyConnection,
    hour: datetime,
    *,
    project: str = "100042",
    rows: int = 1,
    status: str = "loaded",
) -> None:
    name = f"amplitude/{project}_{hour:%Y-%m}.zip::{project}/{project}_{hour:%Y-%m-%d}_{hour.hour}"
    add_file(connection, f"{name}#0.json.gz", hour=hour, rows_in=rows, status=status)


def test_hours_without_a_file_are_told_per_project(connection: duckdb.DuckDBPyConnection) -> None:
    start = datetime(2024, 3, 1, 22)
    for hours in (0, 1, 4, 5, 30):
        add_hour(connection, start + timedelta(hours=hours), project="1")
    for hours in (2, 3):
        add_hour(connection, start + timedelta(hours=hours), project="2")

    assert checks.missing_export_hours(connection) == [
        checks.Gap("1", datetime(2024, 3, 2, 0), datetime(2024, 3, 2, 1), 2),
        checks.Gap("1", datetime(2024, 3, 2, 4), datetime(2024, 3, 3, 3), 24),
    ]


def test_a_copy_of_a_file_fills_its_hour_and_an_unreadable_one_does_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for hour, status in ((0, "loaded"), (1, "duplicate"), (2, "unreadable"), (3, "loaded")):
        add_hour(connection, datetime(2024, 3, 1, hour), status=status)

    assert checks.missing_export_hours(connection) == [
        checks.Gap("100042", datetime(2024, 3, 1, 2), datetime(2024, 3, 1, 2), 1)
    ]


def test_the_newest_day_is_held_against_the_same_hours_of_the_same_weekday(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    newest = datetime(2024, 3, 27)
    for week, rows in ((1, 100), (2, 80), (3, 120), (9, 9_999)):
        day = newest - timedelta(weeks=week)
        add_hour(connection, day.replace(hour=9), rows=rows)
        add_hour(connection, day.replace(hour=20), rows=5_000)
    add_hour(connection, newest - timedelta(days=1), rows=7_777)
    add_hour(connection, newest.replace(hour=8), rows=30)
    add_hour(connection, newest.replace(hour=9), rows=10)

    assert checks.newest_day_volumes(connection) == [
        checks.Volume("100042", date(2024, 3, 27), 9, rows=40, usual_rows=100.0, weeks=3)
    ]


def test_a_first_day_has_nothing_to_be_held_against(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add_hour(connection, datetime(2024, 3, 27, 9), rows=40)

    assert checks.newest_day_volumes(connection) == [
        checks.Volume("100042", date(2024, 3, 27), 9, rows=40, usual_rows=None, weeks=0)
    ]


def test_quarantined_rows_are_shares_of_their_source(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add_file(connection, "surveys/a.csv", source="surveys", rows_in=40, quarantined=10)
    add_file(connection, "a", rows_in=900, quarantined=10)
    add_file(connection, "b", rows_in=100, quarantined=0)
    add_file(connection, "c", source="zendesk_calls", status="unreadable")

    shares = checks.quarantined_shares(connection)

    assert [(share.source, share.share) for share in shares if share.load is None] == [
        ("surveys", 0.25),
        ("amplitude_events", 0.01),
    ]


def test_a_broken_load_is_not_hidden_by_years_of_good_files(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add_file(connection, "years.csv", source="surveys", rows_in=10_000, loaded_by="before")
    add_file(connection, "today.csv", source="surveys", rows_in=40, quarantined=30, loaded_by="now")
    add_file(connection, "copy.csv", source="surveys", rows_in=10_000, status="duplicate")
    add_file(connection, "a.json", source="zendesk_calls", rows_in=9, quarantined=9)

    shares = checks.quarantined_shares(connection)

    assert shares == [
        checks.QuarantinedShare("zendesk_calls", 9, 9),
        checks.QuarantinedShare("surveys", 40, 30, "now"),
        checks.QuarantinedShare("surveys", 10_040, 30),
    ]


def test_reasons_are_counted_and_say_where_one_is(connection: duckdb.DuckDBPyConnection) -> None:
    add_file(connection, "b.csv", source="surveys", rows_in=9, quarantined=1)
    add_file(connection, "a.csv", source="surveys", rows_in=9, quarantined=2)
    connection.execute(
        """
        insert into raw.quarantined_rows (file_id, line_number, reason)
        select file_id, unnest(case path when 'a.csv' then [7, 5] else [2] end), 'bad'
        from raw.loaded_files
        """
    )

    assert checks.quarantine_reasons(connection) == [
        checks.QuarantineReason("surveys", "bad", 3, 2, "a.csv", 5)
    ]


def test_a_file_whose_rows_do_not_add_up_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    add_file(connection, "good", rows_in=10, quarantined=3)
    add_file(connection, "bad", rows_in=10, loaded=6, quarantined=3)

    assert checks.ledger_imbalances(connection) == [checks.Imbalance("bad", 10, 9)]


def test_files_that_brought_nothing_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    add_file(connection, "notes.docx", source="unknown", status="unrecognised", reason="rename it")
    add_file(connection, "cut.json.gz", status="unreadable", reason="truncated")
    add_file(connection, "fine.json.gz")
    add_file(connection, "half.json.gz", reason="truncated gzip")

    assert checks.unread_files(connection) == [
        checks.UnreadFile("cut.json.gz", "unreadable", "truncated"),
        checks.UnreadFile("half.json.gz", "loaded", "truncated gzip"),
        checks.UnreadFile("notes.docx", "unrecognised", "rename it"),
    ]


def test_unknown_fields_are_added_up_over_files(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        insert into raw.unknown_fields values
            (1, 'amplitude_events', 'event_properties.x', 3, true),
            (2, 'amplitude_events', 'event_properties.x', 4, false),
            (2, 'surveys', 'Shoe size', 5, false)
        """
    )

    assert checks.unknown_fields(connection) == [
        checks.UnknownField("amplitude_events", "event_properties.x", 7, True),
        checks.UnknownField("surveys", "Shoe size", 5, False),
    ]


def test_implausible_answers_are_counted_by_survey_and_column(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows: list[tuple[str, str, str, str | None]] = [
        ("alumni", "map {'salary': 1, 'hours': 900}", "['hours']", None),
        ("alumni", "map {'salary': 2}", "['hours']", None),
        ("alumni", "map {'salary': 3, 'hours': 7}", "[]", None),
        ("alumni", "map {'salary': 4, 'hours': 800}", "['hours']", "same_row"),
        ("other", "map {}", "['hours']", None),
    ]
    for number, (survey, numbers, implausible, repeat) in enumerate(rows):
        connection.execute(
            f"""
            insert into raw.survey_responses by name select
                1 as file_id, $number as line_number, uuid() as row_hash, uuid() as response_id,
                $survey as survey, 'survey' as source, false as is_outcome_report,
                {numbers}::map(varchar, double) as numbers,
                {implausible} as implausible, $repeat as duplicate_reason
            """,
            {"number": number, "survey": survey, "repeat": repeat},
        )

    assert checks.implausible_answers(connection) == [
        checks.ImplausibleAnswers("alumni", "hours", 2, 3),
        checks.ImplausibleAnswers("other", "hours", 1, 1),
    ]


def add_responses(
    connection: duckdb.DuckDBPyConnection, file_id: int, days: list[date], **columns: object
) -> None:
    """A Satismeter export with a response on each of the days."""
    for number, day in enumerate(days):
        connection.execute(
            """
            insert into raw.satismeter_responses by name select
                $file_id as file_id, $number as line_number, uuid() as row_hash,
                uuid() as response_id, $at::timestamp as created_at, false as is_dismissed,
                false as is_pending, $reason as duplicate_reason
            """,
            {
                "file_id": file_id,
                "number": number,
                "at": datetime(day.year, day.month, day.day, 23, 30),
                "reason": columns.get("duplicate_reason"),
            },
        )


def days(first: date, number: int, step: int = 1) -> list[date]:
    return [first + timedelta(days=step * index) for index in range(number)]


def test_days_between_two_satismeter_exports_are_missing(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add_responses(connection, 1, days(date(2026, 1, 1), 30))
    add_responses(connection, 3, days(date(2026, 3, 1), 30))
    add_responses(connection, 4, days(date(2026, 3, 20), 30), duplicate_reason="same_row")
    add_responses(connection, 5, days(date(2026, 4, 20), 5))
    assert checks.missing_satismeter_days(connection) == [
        checks.MissingDays(date(2026, 1, 31), date(2026, 2, 28), 29),
        checks.MissingDays(date(2026, 4, 19), date(2026, 4, 19), 1),
    ]


def test_exports_that_overlap_or_touch_leave_no_gap(connection: duckdb.DuckDBPyConnection) -> None:
    assert checks.missing_satismeter_days(connection) == []
    add_responses(connection, 1, days(date(2026, 1, 1), 31))
    add_responses(connection, 2, days(date(2026, 1, 10), 5))  # a page within another
    add_responses(connection, 3, days(date(2026, 2, 1), 10))
    assert checks.missing_satismeter_days(connection) == []


def test_a_silence_as_long_as_those_within_exports_is_no_gap_but_30_days_always_are(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add_responses(connection, 1, days(date(2026, 1, 1), 5, step=4))  # until 17 January
    add_responses(connection, 2, days(date(2026, 1, 21), 2))
    assert checks.missing_satismeter_days(connection) == []
    add_responses(connection, 3, days(date(2026, 2, 1), 2, step=50))  # until 23 March
    add_responses(connection, 4, days(date(2026, 4, 22), 2))
    assert checks.missing_satismeter_days(connection) == []
    add_responses(connection, 5, days(date(2026, 5, 24), 2))
    assert checks.missing_satismeter_days(connection) == [
        checks.MissingDays(date(2026, 4, 24), date(2026, 5, 23), 30)
    ]


def test_files_of_the_future_are_found_whatever_the_zone_of_the_clock(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))  # 03:00 UTC
    for path, newest in {
        "past": datetime(2026, 3, 1, 3),
        "tomorrow": datetime(2026, 3, 1, 3, 0, 1),
        "never": datetime(2199, 12, 31),
        "without times": None,
    }.items():
        add_file(connection, path)
        connection.execute(
            "update raw.loaded_files set newest_at = $2 where path = $1", [path, newest]
        )

    found = checks.exports_of_the_future(connection, now)

    assert found == [
        checks.FutureExport("never", datetime(2199, 12, 31)),
        checks.FutureExport("tomorrow", datetime(2026, 3, 1, 3, 0, 1)),
    ]
