"""Figures about what was loaded, as plain SQL: whoever asks decides what is too much.

Paths and names of fields are those that people are shown: without addresses and phone numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from orchestration.loading.shown import mask_name, shown_path

# The project of an Amplitude file, from its name; see the naming rule of such files.
_PROJECT = r"regexp_extract(path, '(\d+)_\d{4}-\d{2}-\d{2}_\d{1,2}(#\d+)?\.json(\.gz)?$', 1)"

# Quarantined rows of one source in one load, from which on their share is judged.
FEWEST_OF_A_LOAD = 10

# What Satismeter exports unless it is asked for more.
SATISMETER_WINDOW_DAYS = 30

# Files that are there, whether or not their rows came from this copy of them.
_EXPORTED = f"""
    select {_PROJECT} as project, exported_hour, loaded
    from raw.loaded_files
    where source = 'amplitude_events'
        and status in ('loaded', 'duplicate')
        and exported_hour is not null
"""


@dataclass(frozen=True)
class UnknownField:
    """A field or event type that exports hold and no contract names."""

    source: str
    field: str
    occurrences: int
    is_sampled: bool


@dataclass(frozen=True)
class Gap:
    """Consecutive hours of one Amplitude project without a file; first and last are missing too."""

    project: str
    first_hour: datetime
    last_hour: datetime
    hours: int


@dataclass(frozen=True)
class MissingDays:
    """Consecutive days (UTC) between two Satismeter exports that lie in neither of them."""

    first_day: date
    last_day: date
    days: int


@dataclass(frozen=True)
class Volume:
    """The newest day of one Amplitude project against the same weekday of the weeks before.

    Attributes:
        project: Amplitude's number of it.
        day: the newest day of upload, UTC.
        until_hour: the newest hour of that day; the days before are counted up to it, too, so that
            a day that is still going on is not too small.
        rows: loaded of that day.
        usual_rows: median of the weeks before; null without any.
        weeks: how many there were.
    """

    project: str
    day: date
    until_hour: int
    rows: int
    usual_rows: float | None
    weeks: int


@dataclass(frozen=True)
class QuarantinedShare:
    """Rows of one source that could not be read.

    Attributes:
        source: the source.
        rows_in: rows of its files; copies of a file are not counted again.
        quarantined: rows of them that could not be read.
        load: the run that loaded them; null for all files of the source.
    """

    source: str
    rows_in: int
    quarantined: int
    load: str | None = None

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.quarantined / self.rows_in


@dataclass(frozen=True)
class QuarantineReason:
    """Why rows of a source could not be read, how many in how many files, and where one is."""

    source: str
    reason: str
    rows: int
    files: int
    path: str
    line_number: int | None


@dataclass(frozen=True)
class Imbalance:
    """A file whose rows are not all accounted for."""

    path: str
    rows_in: int
    accounted_for: int


@dataclass(frozen=True)
class UnreadFile:
    """A file that brought nothing, or not all that it should, and why."""

    path: str
    status: str
    reason: str | None


@dataclass(frozen=True)
class FutureExport:
    """A file whose newest export time is later than any can be.

    Attributes:
        path: the file.
        newest_at: that time, UTC.
    """

    path: str
    newest_at: datetime


@dataclass(frozen=True)
class ImplausibleAnswers:
    """Answers of one column of a survey that are no number, or out of the mapping's bounds."""

    survey: str
    column: str
    implausible: int
    answers: int


def implausible_answers(connection: duckdb.DuckDBPyConnection) -> list[ImplausibleAnswers]:
    """Where people wrote numbers that cannot be, the most frequent first.

    `answers` counts the column's numbers, plausible or not, and what is no number.
    """
    rows = connection.execute(
        """
        with flagged as (
            select survey, unnest(implausible) as name, numbers
            from raw.survey_responses
            where duplicate_reason is null
        ),
        told as (
            select survey, unnest(map_keys(numbers)) as name
            from raw.survey_responses
            where duplicate_reason is null
        ),
        numbers as (select survey, name, count(*) as numbers from told group by all)
        select survey, name, count(*),
            count(*) filter (flagged.numbers[name] is null)
                + coalesce(any_value(numbers.numbers), 0)
        from flagged
        left join numbers using (survey, name)
        group by survey, name
        order by count(*) desc, survey, name
        """
    ).fetchall()
    return [ImplausibleAnswers(*row) for row in rows]


def unknown_fields(connection: duckdb.DuckDBPyConnection) -> list[UnknownField]:
    """What the exports hold and the contracts do not name, the most frequent first."""
    rows = connection.execute(
        """
        select source, field, sum(occurrences)::bigint, bool_or(is_sampled)
        from raw.unknown_fields
        group by source, field
        order by sum(occurrences) desc, source, field
        """
    ).fetchall()
    return [
        UnknownField(source, mask_name(field), occurrences, is_sampled)
        for source, field, occurrences, is_sampled in rows
    ]


def missing_export_hours(connection: duckdb.DuckDBPyConnection) -> list[Gap]:
    """Hours without a file, between the first and the last hour of each project, oldest first."""
    rows = connection.execute(
        f"""
        with
        exported as ({_EXPORTED}),
        hours as (select distinct project, exported_hour from exported),
        steps as (
            select
                project,
                exported_hour,
                lead(exported_hour) over (partition by project order by exported_hour) as next_hour
            from hours
        )
        select
            project,
            exported_hour + interval 1 hour,
            next_hour - interval 1 hour,
            datediff('hour', exported_hour, next_hour) - 1
        from steps
        where next_hour > exported_hour + interval 1 hour
        order by project, exported_hour
        """
    ).fetchall()
    return [Gap(*row) for row in rows]


def missing_satismeter_days(connection: duckdb.DuckDBPyConnection) -> list[MissingDays]:
    """Days that no Satismeter export covers, between the first and the last of them.

    An export covers the days from its oldest response to its newest. Quiet days between two exports
    look like a gap, so that one is told only if it is longer than the longest silence within an
    export; from Satismeter's own window of 30 days on it always is.
    """
    rows = connection.execute(
        """
        with
        days as (
            select distinct file_id, created_at::date as day from raw.satismeter_responses
        ),
        silences as (
            select day - lag(day) over (partition by file_id order by day) - 1 as days from days
        ),
        usual as (select least(coalesce(max(days), 0), $window - 1) as days from silences),
        exports as (
            select file_id, min(day) as first_day, max(day) as last_day from days group by file_id
        ),
        steps as (
            select
                first_day,
                max(last_day) over (
                    order by first_day, last_day, file_id
                    rows between unbounded preceding and 1 preceding
                ) as covered_until
            from exports
        )
        select covered_until + 1, first_day - 1, first_day - covered_until - 1
        from steps
        cross join usual
        where first_day - covered_until - 1 > usual.days
        order by covered_until
        """,
        {"window": SATISMETER_WINDOW_DAYS},
    ).fetchall()
    return [MissingDays(*row) for row in rows]


def newest_day_volumes(connection: duckdb.DuckDBPyConnection, *, weeks: int = 8) -> list[Volume]:
    """Rows of the newest day of each project, and the median of the same weekday before it.

    Args:
        connection: the warehouse.
        weeks: how many weeks are looked back on; weeks without any file of that weekday are passed
            over rather than counted as 0.
    """
    rows = connection.execute(
        f"""
        with
        exported as ({_EXPORTED}),
        newest as (
            select
                project,
                max(exported_hour)::date as newest_day,
                hour(max(exported_hour)) as until_hour
            from exported
            group by project
        ),
        days as (
            select
                exported.project,
                newest.newest_day,
                newest.until_hour,
                exported.exported_hour::date as exported_day,
                sum(exported.loaded)::bigint as loaded
            from exported
            inner join newest
                on exported.project = newest.project
                and hour(exported.exported_hour) <= newest.until_hour
                and datediff('day', exported.exported_hour::date, newest.newest_day) % 7 = 0
                and datediff('day', exported.exported_hour::date, newest.newest_day) <= 7 * $weeks
            group by all
        )
        select
            project,
            newest_day,
            until_hour,
            sum(loaded) filter (where exported_day = newest_day)::bigint,
            median(loaded) filter (where exported_day < newest_day),
            count(*) filter (where exported_day < newest_day)
        from days
        group by project, newest_day, until_hour
        order by project
        """,
        {"weeks": weeks},
    ).fetchall()
    return [Volume(*row) for row in rows]


def quarantined_shares(connection: duckdb.DuckDBPyConnection) -> list[QuarantinedShare]:
    """Rows and quarantined rows of each source that has any row, the worst first.

    Besides those of all its files also those of each load, since years of good files would hide a
    broken batch. A load is judged from so many quarantined rows on as are no accident.
    """
    rows = connection.execute(
        """
        with files as (from raw.loaded_files where status = 'loaded'),
        shares as (
            select source, sum(rows_in)::bigint as rows_in, sum(quarantined)::bigint as quarantined,
                null as load
            from files
            group by source
            having sum(rows_in) > 0
            union all
            select source, sum(rows_in)::bigint, sum(quarantined)::bigint, loaded_by
            from files
            group by source, loaded_by
            having sum(quarantined) >= $fewest
        )
        select source, rows_in, quarantined, load
        from shares
        order by quarantined / rows_in desc, source, load nulls first
        """,
        {"fewest": FEWEST_OF_A_LOAD},
    ).fetchall()
    return [QuarantinedShare(*row) for row in rows]


def quarantine_reasons(connection: duckdb.DuckDBPyConnection) -> list[QuarantineReason]:
    """Why rows could not be read, the most frequent reason first."""
    rows = connection.execute(
        f"""
        select files.source, bad.reason, count(*), count(distinct bad.file_id),
            {shown_path("min(files.path)")},
            arg_min(bad.line_number, (files.path, bad.line_number))
        from raw.quarantined_rows as bad
        inner join raw.loaded_files as files using (file_id)
        group by files.source, bad.reason
        order by count(*) desc, files.source, bad.reason
        """
    ).fetchall()
    return [QuarantineReason(*row) for row in rows]


def ledger_imbalances(connection: duckdb.DuckDBPyConnection) -> list[Imbalance]:
    """Files for which rows in = loaded + duplicates + quarantined + not_in_plan + erased fails."""
    rows = connection.execute(
        f"""
        select {shown_path("path")}, rows_in,
            loaded + duplicates + quarantined + not_in_plan + erased as accounted
        from raw.loaded_files
        where rows_in != accounted
        order by path
        """
    ).fetchall()
    return [Imbalance(*row) for row in rows]


def unread_files(connection: duckdb.DuckDBPyConnection) -> list[UnreadFile]:
    """Files that no reader knows or that could not be read, or not to their end."""
    rows = connection.execute(
        f"""
        select {shown_path("path")}, status, {shown_path("reason")}
        from raw.loaded_files
        where status in ('unrecognised', 'unreadable') or (status = 'loaded' and reason is not null)
        order by path
        """
    ).fetchall()
    return [UnreadFile(*row) for row in rows]


def exports_of_the_future(
    connection: duckdb.DuckDBPyConnection, latest: datetime
) -> list[FutureExport]:
    """Files with export times after `latest` (with a time zone), the latest first."""
    rows = connection.execute(
        f"""
        select {shown_path("path")}, newest_at
        from raw.loaded_files
        where newest_at > $1::timestamptz at time zone 'UTC'
        order by newest_at desc, path
        """,
        [latest],
    ).fetchall()
    return [FutureExport(*row) for row in rows]
