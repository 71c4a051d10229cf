"""Tells which rows repeat others. Repeats stay in `raw`, marked, so that a file that is corrected
or removed hands its rows over to them, and counts do not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from orchestration.loading.sql import literal

# A client's retry comes less than this after the last kept event (definitions, section 6).
RETRY_WINDOW = "interval 7 days"


def note_changed_events(connection: duckdb.DuckDBPyConnection, file_ids: Sequence[int]) -> None:
    """Remember the keys of the events of some files in the temporary table `changed_events`.

    To be called before rows are deleted, and again after rows were inserted.
    """
    connection.execute(
        """
        create temp table if not exists changed_events
            (event_id uuid, insert_key ubigint, server_uploaded_at timestamp, event_at timestamp)
        """
    )
    if file_ids:
        connection.execute(
            """
            insert into changed_events
            select event_id, insert_key, server_uploaded_at, event_at from raw.events
            where file_id in (select unnest($1))
            """,
            [list(file_ids)],
        )


def mark_event_repeats(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Judge the events that `changed_events` can have changed; adds those whose mark it changes.

    First the rows with one uuid: the first by upload time (then path) is kept. Of the kept ones,
    those with one (app, device, $insert_id): walking by upload time, then uuid, an event less than
    seven days after the last kept one is a retry.

    Returns:
        The files whose counts of loaded rows and repeats may have changed.
    """
    span = connection.execute(
        "select min(server_uploaded_at), max(server_uploaded_at) from changed_events"
    ).fetchone()
    if span is None or span[0] is None:
        return set()
    # Repeats of a uuid carry the same upload time: nothing outside of the span can be one.
    connection.execute(
        f"""
        create or replace temp table repeated_ids as
        select event_id from raw.events
        where server_uploaded_at between $1 and $2
            and {_changed(connection, "event_id", "$1 and $2", span)}
        group by event_id
        having count(*) > 1 or bool_or(duplicate_reason = 'same_uuid')
        """,
        list(span),
    )
    connection.execute(
        """
        create or replace temp table judged as
        select
            events.rowid as row_id,
            case when row_number() over (
                partition by events.event_id
                order by events.server_uploaded_at, files.path, events.event_at,
                    events.event_type, events.insert_key
            ) > 1 then 'same_uuid' end as reason
        from raw.events
        join repeated_ids using (event_id)
        left join file_paths as files using (file_id)
        where events.server_uploaded_at between $1 and $2
        """,
        list(span),
    )
    affected = _apply(connection)
    return affected | _mark_retries(connection, span)


def _mark_retries(connection: duckdb.DuckDBPyConnection, span: Sequence[object]) -> set[int]:
    window = f"$1::timestamp - {RETRY_WINDOW} and $2::timestamp + {RETRY_WINDOW}"
    connection.execute(
        f"""
        create or replace temp table retried_keys as
        select insert_key from raw.events
        where server_uploaded_at between {window} and insert_key is not null
            and {_changed(connection, "insert_key", window, span)}
            and duplicate_reason is distinct from 'same_uuid'
        group by insert_key
        having count(*) > 1 or bool_or(duplicate_reason = 'client_retry')
        """,
        list(span),
    )
    # A chain of retries can reach further than one window: widen until nothing more joins, so
    # that a small day never reads the whole history.
    low, high = f"'{span[0]}'::timestamp", f"'{span[1]}'::timestamp"
    found = -1
    while True:
        row = connection.execute(
            f"""
            select count(*), min(server_uploaded_at)::varchar, max(server_uploaded_at)::varchar
            from raw.events
            where server_uploaded_at between {low} - {RETRY_WINDOW} and {high} + {RETRY_WINDOW}
                and insert_key in (select insert_key from retried_keys)
            """
        ).fetchone()
        if row is None or row[0] in (0, found):
            break
        found, low, high = row[0], f"{literal(row[1])}::timestamp", f"{literal(row[2])}::timestamp"
    if found <= 0:
        return set()
    connection.execute(
        f"""
        create or replace temp table candidates as
        select rowid as row_id, insert_key, server_uploaded_at, event_id
        from raw.events
        where server_uploaded_at between {low} and {high}
            and insert_key in (select insert_key from retried_keys)
            and duplicate_reason is distinct from 'same_uuid'
        """
    )
    connection.execute(
        f"""
        create or replace temp table judged as
        with recursive kept as (
            select row_id, insert_key, server_uploaded_at from candidates
            qualify row_number() over (
                partition by insert_key order by server_uploaded_at, event_id
            ) = 1
            union all
            select candidates.row_id, candidates.insert_key, candidates.server_uploaded_at
            from kept
            join candidates on candidates.insert_key = kept.insert_key
                and candidates.server_uploaded_at >= kept.server_uploaded_at + {RETRY_WINDOW}
            qualify row_number() over (
                partition by candidates.insert_key
                order by candidates.server_uploaded_at, candidates.event_id
            ) = 1
        )
        select row_id,
            case when row_id not in (select row_id from kept) then 'client_retry' end as reason
        from candidates
        """
    )
    return _apply(connection)


def _changed(
    connection: duckdb.DuckDBPyConnection, key: str, window: str, span: Sequence[object]
) -> str:
    """A condition that leaves out the keys of a window that cannot have got a repeat.

    It costs more than it saves where most of the window has just changed, as in a first load; to
    judge the others again does no harm.
    """
    row = connection.execute(
        f"""
        select (select count(*) from raw.events where server_uploaded_at between {window})
            > 2 * (select count(*) from changed_events)
        """,
        list(span),
    ).fetchone()
    return f"{key} in (select {key} from changed_events)" if row and row[0] else "true"


def _apply(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Write the reasons of `judged` where they differ; returns the files of the changed rows."""
    connection.execute(
        """
        create or replace temp table flipped as
        select events.rowid as row_id, events.file_id, events.event_at, judged.reason
        from raw.events
        join judged on judged.row_id = events.rowid
        where events.duplicate_reason is distinct from judged.reason
        """
    )
    changed = connection.execute("select distinct file_id from flipped").fetchall()
    if changed:
        connection.execute(
            """
            update raw.events set duplicate_reason = flipped.reason
            from flipped where flipped.row_id = events.rowid
            """
        )
        connection.execute(
            "insert into changed_events select null, null, null, event_at from flipped"
        )
    return {row[0] for row in changed}


def note_touched_days(
    connection: duckdb.DuckDBPyConnection, load_number: int, timezone: str
) -> None:
    """Write the reporting days of `changed_events` to `raw.touched_days`, and empty it.

    Offsets of time zones change at full quarters of an hour, so that only those are converted.
    """
    connection.execute(
        """
        insert into raw.touched_days
        with quarters as (
            select distinct time_bucket(interval 15 minutes, event_at) as quarter
            from changed_events
        )
        select distinct (quarter at time zone 'UTC' at time zone $1)::date, $2::bigint
        from quarters
        """,
        [timezone, load_number],
    )
    connection.execute("delete from changed_events")


def mark_row_repeats(
    connection: duckdb.DuckDBPyConnection, table: str, file_ids: Sequence[int]
) -> set[int]:
    """Mark rows of a table that occur in another file, or page, to the letter.

    Exports of pages overlap: the row of the smallest path and line counts. Only groups with a row
    in one of the files, or whose kept row has gone, are judged again.

    Returns:
        The files whose counts may have changed.
    """
    connection.execute(
        f"""
        create or replace temp table flipped as
        with groups as (
            select row_hash from {table}
            group by row_hash
            having (count(*) > 1 or bool_or(duplicate_reason is not null))
                and (bool_or(file_id in (select unnest($1)))
                    or count(*) filter (duplicate_reason is null) <> 1)
        ),
        judged as (
            select rows.rowid as row_id, rows.file_id, rows.duplicate_reason,
                case when row_number() over (
                    partition by rows.row_hash order by files.path, rows.line_number, rows.rowid
                ) > 1 then 'same_row' end as reason
            from {table} as rows
            join groups using (row_hash)
            left join file_paths as files using (file_id)
        )
        select * from judged where duplicate_reason is distinct from reason
        """,
        [list(file_ids)],
    )
    connection.execute(
        f"""
        update {table} set duplicate_reason = flipped.reason
        from flipped where flipped.row_id = {table.split(".")[1]}.rowid
        """
    )
    return {row[0] for row in connection.execute("select distinct file_id from flipped").fetchall()}
