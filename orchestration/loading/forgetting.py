"""Leaves out of a load who asked to be forgotten: a later export must not bring them back.

The ids of the rows are hashed with the tombstones' own key, each distinct one once, and only while
there are tombstones. Rows dated before the erasure go, and are counted as erased; rows dated after
it stay, since the person may have come anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from orchestration.loading import pseudonyms
from orchestration.loading.rows import stage
from orchestration.loading.sql import literal
from orchestration.loading.subjects import SUBJECTS, Subject
from orchestration.loading.times import iso_time
from orchestration.tombstones import Tombstones

_TRACES: Final = "erased_traces"
_KNOWN: Final = "erased_ids"
_ROWS: Final = "erased_rows"
# The ids of an event besides the user's, and their columns.
_EVENT_IDS: Final = {"device": "device_id", "amplitude": "amplitude_id", "email": "email_id"}


def install(connection: duckdb.DuckDBPyConnection, tombstones: Tombstones) -> None:
    """Make the tombstones known to a connection; without any, loading does nothing of this."""
    traces = [trace for stone in tombstones.stones for trace in stone.traces]
    connection.execute("set variable erased_traces = $1", [len(traces)])
    if not traces:
        return
    pseudonyms.install_hash(connection, "tombstone", tombstones.key)
    stage(
        connection,
        _TRACES,
        {"hash": "UUID", "since": "TIMESTAMP", "until": "TIMESTAMP"},
        (
            {
                "hash": str(trace.hash),
                "since": trace.since and trace.since.replace(tzinfo=None).isoformat(),
                "until": trace.until.replace(tzinfo=None).isoformat(),
            }
            for trace in traces
        ),
    )


def forget_events(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[int, int]:
    """Delete the events of erased people from a table of events that are being read.

    An event with a user id is that user's; one without is whose device, Amplitude id or e-mail it
    carries. Only an event that came to pass and was uploaded after the erasure is of after it.

    Returns:
        The number of deleted rows by file id.
    """
    if not _is_installed(connection):
        return {}
    told = {name for (name, *_) in connection.execute(f"describe {rows}").fetchall()}
    ids = {kind: column for kind, column in _EVENT_IDS.items() if column in told}
    distinct = " union all ".join(
        f"select distinct {literal(f'{kind}:')} as prefix, {column} as id from {rows}"
        for kind, column in {"user": "user_id", **ids}.items()
    )
    connection.execute(
        f"""
        create or replace temp table {_KNOWN} as
        with met as ({distinct}),
        hashed as (
            select prefix, id, tombstone_uuid(
                prefix || nullif(
                    case when prefix = 'email:' then lower(trim(id)) else trim(id) end, ''
                )
            ) as hash
            from met
        )
        select distinct prefix, id, since, until from hashed join {_TRACES} using (hash)
        """
    )
    if not _count(connection, _KNOWN):
        return {}

    def is_known(kind: str, column: str) -> str:
        return f"""exists (
            from {_KNOWN} as known
            where known.prefix = {literal(f"{kind}:")} and known.id = rows.{column}
                and least(rows.event_at, rows.server_uploaded_at) < known.until
                and (known.since is null or rows.event_at >= known.since)
        )"""

    others = " or ".join(is_known(kind, column) for kind, column in ids.items())
    connection.execute(
        f"""
        create or replace temp table {_ROWS} as
        select rows.rowid as row_id, rows.file_id from {rows} as rows
        where {is_known("user", "user_id")}
            or (nullif(trim(rows.user_id), '') is null and ({others}))
        """
    )
    connection.execute(f"delete from {rows} where rowid in (select row_id from {_ROWS})")
    if "email" in ids:
        # Somebody else's event stays, without the address: it would stand for another person then.
        connection.execute(
            f"update {rows} as rows set email_id = null where {is_known('email', 'email_id')}"
        )
    return _by_file(connection)


def forget_merges(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[int, int]:
    """Delete the merges of erased people's Amplitude ids from a table; see `forget_events`."""
    if not _is_installed(connection):
        return {}
    return _forget(
        connection,
        rows,
        f"""
        select rowid as row_id, file_id, make_timestamp(merged_ms * 1000) as dated,
            ['amplitude:' || amplitude_id, 'amplitude:' || merged_amplitude_id] as messages
        from {rows} where reason is null
        """,
    )


def forget_objects(
    connection: duckdb.DuckDBPyConnection, source: str, objects: str, rows: str
) -> dict[int, int]:
    """Delete the rows of erased people from `rows`, by the JSON objects that they were made from.

    Args:
        connection: where both tables are.
        source: says where the ids are.
        objects: file_id, line_number, object.
        rows: file_id, line_number; several rows may be made from one object. Those with a `problem`
            stay: they are quarantined, and hold no ids.

    Returns:
        The number of deleted rows by file id.
    """
    subject = SUBJECTS.get(source)
    if subject is None or not _is_installed(connection):
        return {}
    return _forget(
        connection,
        rows,
        f"""
        select {rows}.rowid as row_id, {rows}.file_id, {_at(subject)} as dated,
            {_messages(subject)} as messages
        from {rows}
        join {objects} as objects using (file_id, line_number)
        where {rows}.problem is null and objects.object is not null
        """,
    )


def forget_answers(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    *,
    user: str,
    email: str,
    respondent: str,
    survey: str,
    at: str,
) -> dict[int, int]:
    """Delete the answers of erased people from a table of answers; the rest is SQL over it.

    An answer with a user id is that user's. One without a time is of before the erasure.
    """
    if not _is_installed(connection):
        return {}
    return _forget(
        connection,
        rows,
        f"""
        select rowid as row_id, file_id, {at} as dated,
            case when {user} is not null then ['user:' || {user}] else [
                'email:' || lower({email}),
                {literal(f"respondent:{survey}:")} || {respondent}
            ] end as messages
        from {rows} where problem is null
        """,
    )


def _forget(connection: duckdb.DuckDBPyConnection, rows: str, named: str) -> dict[int, int]:
    """Delete rows by `named`: row_id, file_id, dated, messages (one that was erased is enough)."""
    connection.execute(
        f"""
        create or replace temp table {_ROWS} as
        with named as ({named}),
        told as (select row_id, file_id, dated, unnest(messages) as message from named),
        met as (select distinct message from told where message is not null),
        hashed as (select message, tombstone_uuid(message) as hash from met),
        known as (select message, since, until from hashed join {_TRACES} using (hash))
        select distinct row_id, file_id
        from told
        join known using (message)
        where dated is null or (dated < until and (since is null or dated >= since))
        """
    )
    connection.execute(f"delete from {rows} where rowid in (select row_id from {_ROWS})")
    return _by_file(connection)


def _messages(subject: Subject) -> str:
    others = [
        f"{literal(f'{kind}:')} || "
        + (f"lower({_text(pointer)})" if kind == "email" else _text(pointer))
        for kind, pointer in subject.others
    ]
    listed = f"[{', '.join(others)}]"
    if subject.owner is None:
        return listed
    owner = _text(subject.owner)
    return f"case when {owner} is not null then ['user:' || {owner}] else {listed} end"


def _at(subject: Subject) -> str:
    times = []
    for pointer in subject.at:
        text = _text(pointer)
        seconds = f"try_cast({text} as bigint)"
        times.append(
            f"coalesce({iso_time(text)}, case when {seconds} between 0 and 7258118399 "
            f"then make_timestamp({seconds} * 1000000) end)"
        )
    return f"coalesce({', '.join(times)}, null)"


def _text(pointer: str) -> str:
    return f"nullif(trim(json_extract_string(objects.object, {literal(pointer)})), '')"


def _is_installed(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("select coalesce(getvariable('erased_traces'), 0)").fetchone()
    return bool(found and found[0])


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = connection.execute(f"select count(*) from {table}").fetchone()
    return int(found[0]) if found else 0


def _by_file(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    rows: Sequence[tuple[int, int]] = connection.execute(
        f"select file_id, count(*) from {_ROWS} group by file_id"
    ).fetchall()
    connection.execute(f"drop table {_ROWS}")
    return dict(rows)
