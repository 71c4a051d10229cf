"""Repeats of events, held against a walk in plain Python, whatever the order of arrival."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.loading.repeats import (
    mark_event_repeats,
    note_changed_events,
    note_touched_days,
)
from orchestration.loading.rows import stage
from orchestration.loading.warehouse import connect
from orchestration.settings import Settings

START = datetime(2024, 1, 1)


@dataclass(frozen=True)
class Event:
    file_id: int
    event_id: uuid.UUID
    insert_key: int | None
    uploaded_at: datetime


def expected(events: Sequence[Event]) -> dict[tuple[int, uuid.UUID], str | None]:
    """The rule, walked by hand: by file and uuid, why the row does not count."""
    reasons: dict[tuple[int, uuid.UUID], str | None] = {}
    first: dict[uuid.UUID, Event] = {}
    for event in sorted(events, key=lambda e: (e.uploaded_at, e.file_id)):
        is_repeat = event.event_id in first
        first.setdefault(event.event_id, event)
        reasons[event.file_id, event.event_id] = "same_uuid" if is_repeat else None
    kept: dict[int, datetime] = {}
    for event in sorted(first.values(), key=lambda e: (e.uploaded_at, e.event_id.int)):
        if event.insert_key is None:
            continue
        last = kept.get(event.insert_key)
        if last is not None and event.uploaded_at - last < timedelta(days=7):
            reasons[event.file_id, event.event_id] = "client_retry"
        else:
            kept[event.insert_key] = event.uploaded_at
    return reasons


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    data = tmp_path_factory.mktemp("repeats")
    with connect(Settings(data_dir=data)) as connection:
        yield connection


def insert(connection: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> None:
    connection.executemany(
        """
        insert into raw.events (file_id, event_id, app, event_type, event_at, server_uploaded_at,
            insert_key, is_excluded)
        values (?, ?, '1', 'x', ?, ?, ?, false)
        """,
        [[e.file_id, e.event_id, e.uploaded_at, e.uploaded_at, e.insert_key] for e in events],
    )


def name_files(connection: duckdb.DuckDBPyConnection, file_ids: set[int]) -> None:
    stage(
        connection,
        "file_paths",
        {"file_id": "BIGINT", "path": "VARCHAR"},
        [{"file_id": file_id, "path": f"{file_id:03d}"} for file_id in file_ids],
    )


def judge(connection: duckdb.DuckDBPyConnection, file_ids: Sequence[int]) -> set[int]:
    note_changed_events(connection, file_ids)
    affected = mark_event_repeats(connection)
    note_touched_days(connection, 1, "UTC")
    return affected


def found(connection: duckdb.DuckDBPyConnection) -> dict[tuple[int, uuid.UUID], str | None]:
    rows = connection.execute("select file_id, event_id, duplicate_reason from raw.events")
    return {(file_id, event_id): reason for file_id, event_id, reason in rows.fetchall()}


@st.composite
def landings(draw: st.DrawFn) -> tuple[list[Event], int]:
    # Few keys and few places in time, so that most examples hold chains and collisions.
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 60)),
            min_size=1,
            max_size=14,
        )
    )
    events: dict[tuple[int, int], Event] = {}
    # One uuid has one upload time and one insert id, as in Amplitude's exports.
    for file_id, number, half_days in rows:
        known = next((e for (_, n), e in events.items() if n == number), None)
        events[file_id, number] = Event(
            file_id,
            uuid.UUID(int=number + 1),
            known.insert_key if known else 100 + number % 3 if number else None,
            known.uploaded_at if known else START + timedelta(hours=12 * half_days),
        )
    return list(events.values()), draw(st.integers(0, 2**32))


@settings(max_examples=60, deadline=None)
@given(landings())
def test_repeats_do_not_depend_on_arrival_and_follow_the_walk(
    connection: duckdb.DuckDBPyConnection, landing: tuple[list[Event], int]
) -> None:
    events, seed = landing
    connection.execute("delete from raw.events")
    connection.execute("drop table if exists changed_events")
    file_ids = sorted({event.file_id for event in events})
    name_files(connection, set(file_ids))
    arrival = file_ids.copy()
    random.Random(seed).shuffle(arrival)
    for file_id in arrival:
        insert(connection, [event for event in events if event.file_id == file_id])
        judge(connection, [file_id])
    assert found(connection) == expected(events)

    gone = arrival[0]
    note_changed_events(connection, [gone])
    connection.execute("delete from raw.events where file_id = ?", [gone])
    judge(connection, [])
    assert found(connection) == expected([event for event in events if event.file_id != gone])


def test_a_retry_on_another_device_or_eight_days_later_is_an_event_of_its_own(
    tmp_path: Path,
) -> None:
    with connect(Settings(data_dir=tmp_path)) as connection:
        name_files(connection, {1})
        one_device, another = 100, 101
        insert(
            connection,
            [
                Event(1, uuid.UUID(int=1), one_device, START),
                Event(1, uuid.UUID(int=2), another, START),
                Event(1, uuid.UUID(int=3), one_device, START + timedelta(days=6, hours=23)),
                Event(1, uuid.UUID(int=4), one_device, START + timedelta(days=8)),
            ],
        )
        judge(connection, [1])
        assert sorted(found(connection).values(), key=str) == [None, None, None, "client_retry"]
        retry = connection.execute(
            "select event_id from raw.events where duplicate_reason = 'client_retry'"
        ).fetchall()
        assert retry == [(uuid.UUID(int=3),)]


def test_the_days_of_rows_that_change_their_mark_are_touched(tmp_path: Path) -> None:
    with connect(Settings(data_dir=tmp_path)) as connection:
        name_files(connection, {1, 2})
        key = 100
        insert(connection, [Event(2, uuid.UUID(int=2), key, START + timedelta(days=3))])
        judge(connection, [2])
        connection.execute("delete from raw.touched_days")
        insert(connection, [Event(1, uuid.UUID(int=1), key, START)])
        assert judge(connection, [1]) == {2}
        days = connection.execute(
            "select distinct activity_date::varchar from raw.touched_days order by 1"
        ).fetchall()
        assert days == [("2024-01-01",), ("2024-01-04",)]
