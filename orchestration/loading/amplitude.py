"""Reads Amplitude's event files and its file of merged ids.

Only the columns and properties that the tracking plan names are read from a line: DuckDB skips the
rest of it, which is most of what makes this fast, and all of what keeps it out of the warehouse.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import duckdb

from orchestration.contracts import TrackingPlan
from orchestration.contracts.vocabulary import EQUITY_ROLES
from orchestration.landing.names import AMPLITUDE_EVENTS, AMPLITUDE_MERGES
from orchestration.loading.batch import FileCounts, Reader, UnpackedFile
from orchestration.loading.forgetting import forget_events, forget_merges
from orchestration.loading.lines import stage_lines
from orchestration.loading.rows import stage
from orchestration.loading.scratch import TAG, by_text
from orchestration.loading.sharing import cut
from orchestration.loading.shown import UNKNOWN, collect_unknown, store_unknown
from orchestration.loading.sql import file_literal, identifier, literal, literals

# What every line must tell; without it the row is quarantined.
_REQUIRED: Final = {
    "uuid": "event_id",
    "app": "app",
    "event_type": "event_type",
    "event_time": "event_at",
    "server_upload_time": "server_uploaded_at",
}
_COLUMNS: Final = (
    "uuid",
    "$insert_id",
    "app",
    "event_type",
    "event_time",
    "server_upload_time",
    "user_id",
    "device_id",
    "amplitude_id",
    "session_id",
    "platform",
)
# Read as what they are, which is cheaper than to read text and convert it. A value that is none
# fails its statement, so that its file is read line by line.
_TYPED: Final = {
    "uuid": "UUID",
    "event_time": "TIMESTAMP",
    "server_upload_time": "TIMESTAMP",
    "session_id": "BIGINT",
}
# Amplitude's documented columns: any other one is reported as unknown.
_STANDARD_COLUMNS: Final = """
    $insert_id $insert_key $schema adid amplitude_attribution_ids amplitude_event_type
    amplitude_id app city client_event_time client_upload_time country data data_type device_brand
    device_carrier device_family device_id device_manufacturer device_model device_type dma
    event_id event_properties event_time event_type global_user_properties group_properties groups
    idfa ip_address is_attribution_event language library location_lat location_lng os_name
    os_version partner_id paying plan platform processed_time region sample_rate
    server_received_time server_upload_time session_id source_id start_version user_creation_time
    user_id user_properties uuid version_name
"""
STANDARD_COLUMNS: Final = frozenset(_STANDARD_COLUMNS.split())
# A time outside of these is a broken clock, and would break calendars and the as-of.
_EARLIEST: Final = "1970-01-01"
_LATEST: Final = "2200-01-01"
# DuckDB reads in pieces of twice this size, each on one core: larger ones leave cores idle.
_MAX_LINE_BYTES: Final = 16 * 2**20
# What a statement reads of less than a group of rows is written twice: 16 small texts at a time
# take a third longer, and large ones 7 % longer by halves of a GiB. But a bad line fails its
# statement.
_TEXTS_A_STATEMENT: Final = 256
_BYTES_A_STATEMENT: Final = 2**30
_SAMPLED_LINES: Final = 2_000
_SAMPLED_BYTES: Final = 8 * 2**20
_STRUCTS: Final = {"event": "event_properties", "user": "user_properties"}

# What is read of a row, before its ids are hashed. A column stands in the temporary table
# `event_rows` only if the plan says where it is: one that is null in every row would still cost.
_TYPES: Final = {
    "file_id": "bigint",
    "line_number": "bigint",
    "event_id": "uuid",
    "event_id_text": "varchar",
    "app": "varchar",
    "event_type": "varchar",
    "event_at": "timestamp",
    "server_uploaded_at": "timestamp",
    "user_id": "varchar",
    "device_id": "varchar",
    "amplitude_id": "varchar",
    "email_id": "varchar",
    "ids": "ubigint",
    "session_id": "bigint",
    "platform": "varchar",
    "country": "varchar",
    "course_id": "varchar",
    "plan": "varchar",
    "plan_text": "varchar",
    "spoken_language": "varchar",
    "channel": "varchar",
    "outcome_type": "varchar",
    "outcome_date": "date",
    "outcome_date_text": "varchar",
    "credited": "varchar",
    "would_not_have_happened": "varchar",
    "quantity": "double",
    "gender": "varchar",
    "disability": "varchar",
    "region": "varchar",
    "prior_education": "varchar",
    "properties": "map(varchar, varchar)",
    "is_excluded": "boolean",
    "insert_key": "ubigint",
}
# What `raw.events` does not hold as it was read.
_UNSTORED: Final = frozenset(
    {"event_id_text", "user_id", "device_id", "amplitude_id", "email_id", "ids", "plan_text"}
)
_KEYS: Final = {
    "user_id": "user_key",
    "device_id": "device_key",
    "amplitude_id": "amplitude_key",
    "email_id": "email_key",
}

_Text = tuple[Path, Sequence[UnpackedFile]]


class EventReader(Reader):
    """Reads the event files of the projects of one tracking plan into `raw.events`."""

    source = AMPLITUDE_EVENTS
    tables = ("raw.events",)

    def __init__(self, plan: TrackingPlan) -> None:
        self.plan = plan
        self._fields = _fields(plan)
        self._salvaged: set[int] = set()
        self._reports = sorted(
            name for name, event in plan.events.items() if "outcome_reported" in event.meanings
        )
        columns = self._projection("line", "event_id")
        self._columns = [name for name in _TYPES if name in {"file_id", "line_number", *columns}]

    def prepare(self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
        """Read the files into the temporary tables `event_rows` and `event_quarantine`."""
        stage(
            connection,
            "batch_files",
            {"file_id": "BIGINT", "name": "VARCHAR", "number": "BIGINT"},
            (
                {
                    "file_id": file.file_id,
                    "name": str(file.text),
                    "number": file.joined.number if file.joined else None,
                }
                for file in files
            ),
        )
        # With columns written out, not as an empty `create table as`: rows that are inserted into
        # such a table in the same transaction are lost to `group by` (DuckDB 2.0.0).
        columns = ", ".join(f"{name} {_TYPES[name]}" for name in self._columns)
        connection.execute(f"create or replace temp table event_rows ({columns})")
        connection.execute(
            "create or replace temp table event_quarantine "
            "(file_id bigint, line_number bigint, line_hash uuid, reason varchar)"
        )
        damaged = [file for file in files if file.damage is not None]
        sound = [file for file in files if file.damage is None]
        joined = [file for file in sound if file.joined is not None]
        alone = [file for file in sound if file.joined is None]
        # DuckDB 2.0 takes a file of one byte for an empty one, whatever the byte.
        tiny = {file.file_id for file in alone if _size(file) == 1}
        damaged += [file for file in alone if file.file_id in tiny]
        alone = [file for file in alone if file.file_id not in tiny]
        damaged += _chunked(joined, self._read_joined, connection)
        damaged += _chunked(alone, self._read_alone, connection)
        damaged += self._set_aside(connection, sound)
        self._salvaged = {file.file_id for file in damaged}
        if damaged:
            self._salvage(connection, damaged)

    def read(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Write what was read; see `Reader`."""
        erased = forget_events(connection, "event_rows")
        counts = self._count(connection, files)
        for file_id, rows in erased.items():
            counts[file_id].leave_out(rows)
        connection.execute("insert into raw.quarantined_rows from event_quarantine")
        self._report_unknown(connection, files)
        self._insert(connection)
        self._number_lines(connection, files)
        return counts

    # -- reading -------------------------------------------------------------------------------

    @property
    def types(self) -> dict[str, str]:
        """DuckDB's types of what is read of a line: columns, and structs of properties."""
        return {
            name: _TYPED.get(name) or _duckdb_type(properties)
            for name, properties in self._fields.items()
        }

    def _read_joined(self, connection: duckdb.DuckDBPyConnection, texts: Sequence[Path]) -> None:
        self._read(connection, texts, [TAG], f"batch_files.number = lines.line.{identifier(TAG)}")

    def _read_alone(self, connection: duckdb.DuckDBPyConnection, texts: Sequence[Path]) -> None:
        self._read(connection, texts, [], "batch_files.name = lines.filename")

    def _read(
        self,
        connection: duckdb.DuckDBPyConnection,
        texts: Sequence[Path],
        tags: Sequence[str],
        is_line_of: str,
    ) -> None:
        types = self.types | dict.fromkeys(tags, "BIGINT")
        fields = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in types)
        connection.execute(
            f"""
            insert into event_rows by name
            select batch_files.file_id, {_listed(self._projection("line", 'line."uuid"'))}
            from (
                select filename, struct_pack({fields}) as line from {json_lines(texts, types)}
            ) as lines
            join batch_files on {is_line_of}
            """
        )

    def _set_aside(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> list[UnpackedFile]:
        """Take out the files in which a row lacks what every row must tell; returns them."""
        found = connection.execute(
            f"select distinct file_id from event_rows where {_broken('event_rows')}"
        ).fetchall()
        broken = {row[0] for row in found}
        if broken:
            connection.execute(
                "delete from event_rows where file_id in (select unnest($1))", [list(broken)]
            )
        return [file for file in files if file.file_id in broken]

    def _salvage(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        """Read damaged files line by line; what cannot be read is quarantined with its reason."""
        stage_lines(connection, files)
        structure = literal(_json_structure(self._fields))
        connection.execute(
            f"""
            create or replace temp table salvaged as
            with judged as (
                select *, case
                    when is_too_long then 'a line of more than 16 MiB'
                    when not is_utf8 then 'not UTF-8'
                    when not json_valid(line) then 'not valid JSON'
                    when json_type(line) <> 'OBJECT' then 'not a JSON object'
                    when len(json_keys(line)) > len(list_distinct(json_keys(line)))
                        then 'a key occurs twice'
                    {_struct_checks(self._fields)}
                end as reason
                from damaged_lines
            ),
            read as (
                select *, case when reason is null
                    then try(json_transform(line, {structure})) end as fields
                from judged
            )
            select file_id, line_number, line as line_text,
                case when reason is null and fields is null
                    then 'its values have other types than Amplitude''s' else reason end as reason,
                {_listed(self._projection("fields", _event_id('fields."uuid"')))}
            from read
            """
        )
        connection.execute(
            f"""
            insert into event_quarantine
            select file_id, line_number, keyed_uuid('line:' || line_text),
                coalesce(reason, {_broken_reason("salvaged")})
            from salvaged
            where reason is not null or {_broken("salvaged")}
            """
        )
        connection.execute(
            f"""
            insert into event_rows by name
            select * exclude (line_text, reason) from salvaged
            where reason is null and not ({_broken("salvaged")})
            """
        )

    # -- what follows from the rows -------------------------------------------------------------

    def _count(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> dict[int, FileCounts]:
        counts = {file.file_id: FileCounts(reason=file.damage) for file in files}
        for file_id, rows, not_in_plan, newest_at in connection.execute(
            f"""
            select file_id, count(*), count(*) filter (not {self._is_planned()}),
                max(server_uploaded_at)
            from event_rows group by file_id
            """
        ).fetchall():
            counts[file_id].rows_in += rows
            counts[file_id].not_in_plan = not_in_plan
            counts[file_id].newest_at = newest_at
        for file_id, rows in connection.execute(
            "select file_id, count(*) from event_quarantine group by file_id"
        ).fetchall():
            counts[file_id].rows_in += rows
            counts[file_id].quarantined = rows
        return counts

    def _insert(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Insert the rows, with keys in the place of their ids.

        An id is hashed once for each combination that a load meets it in, not once in each row: the
        events of one person share all of theirs.
        """
        ids = [name for name in _KEYS if name in self._columns]
        same = " and ".join(f"id_keys.{name} is not distinct from rows.{name}" for name in ids)
        _hash_new_ids(connection, ids, same)
        stored = [f"rows.{name}" for name in self._columns if name not in _UNSTORED]
        keys = [_KEYS[name] for name in ids]
        (collides,) = _row(connection, "select count(*) > count(distinct ids) from id_keys")
        connection.execute(
            f"""
            insert into raw.events by name
            select {", ".join(stored + keys)}
            from event_rows as rows
            join id_keys on id_keys.ids = rows.ids {f"and {same}" if collides else ""}
            where {self._is_planned()}
            """
        )

    def _number_lines(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        """Give the events that are outcome reports their line numbers, for the auditor.

        DuckDB's reader knows none, and counting lines for every event would cost more than the
        load: so the few reports are searched for in their files by their uuid.
        """
        if not self._reports:
            return
        wanted: dict[int, set[str]] = {}
        for file_id, text in connection.execute(
            "select file_id, event_id_text from event_rows "
            "where line_number is null and event_id_text is not null"
        ).fetchall():
            wanted.setdefault(file_id, set()).add(text)
        found = [
            {"file_id": file.file_id, "uuid": text, "line_number": number}
            for file in files
            if file.file_id in wanted
            for text, number in find_lines(file, "uuid", wanted[file.file_id]).items()
        ]
        if not found:
            return
        stage(
            connection,
            "report_lines",
            {"file_id": "BIGINT", "uuid": "VARCHAR", "line_number": "BIGINT"},
            found,
        )
        connection.execute(
            f"""
            update raw.events set line_number = report_lines.line_number
            from report_lines
            where events.file_id = report_lines.file_id
                and events.event_id = {_event_id("report_lines.uuid")}
            """
        )

    def _report_unknown(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        """Count event types outside of the plan (all rows) and unknown fields (a sample)."""
        collect_unknown(connection)
        self._find_unknown(connection, files)
        store_unknown(connection)

    def _find_unknown(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        connection.execute(
            f"""
            insert into {UNKNOWN}
            select file_id, {literal(self.source)},
                case when app in ({literals(self.plan.projects)})
                    then 'event_type: ' || event_type
                    else 'app: ' || app
                end,
                count(*), false
            from event_rows where not {self._is_planned()}
            group by all
            """
        )
        if "plan_text" in self._columns:
            connection.execute(
                f"""
                insert into {UNKNOWN}
                select file_id, {literal(self.source)}, 'plan: ' || plan_text, count(*), false
                from event_rows where plan is null and plan_text is not null
                group by file_id, plan_text
                """
            )
        # Others are not what DuckDB's reader takes, even if every row of them could be saved.
        sound = [file for file in files if file.file_id not in self._salvaged]
        if not sound:
            return
        largest = max(sound, key=_size).alone()
        sample = _first_lines(largest.text)
        if not sample:
            return
        known = STANDARD_COLUMNS | {
            f"{_STRUCTS[scope]}.{name}"
            for path in (*(path for _, path in self.plan.paths()), *self.plan.ignore)
            for scope, name in (path.split(".", 1),)
            if scope in _STRUCTS
        }
        connection.execute(
            f"""
            insert into {UNKNOWN}
            with sampled as materialized (
                select unnest(string_split($1, chr(10)))::json as line
            ),
            fields as (
                select unnest(json_keys(line)) as field from sampled
                union all
                select 'event_properties.' || unnest(json_keys(line -> 'event_properties'))
                from sampled
                union all
                select 'user_properties.' || unnest(json_keys(line -> 'user_properties'))
                from sampled
            )
            select {largest.file_id}, {literal(self.source)}, field, count(*), true
            from fields where field not in ({literals(sorted(known))})
            group by field
            """,
            [sample],
        )

    # -- SQL from the plan ----------------------------------------------------------------------

    def _is_planned(self) -> str:
        return (
            f"(event_type in ({literals(sorted(self.plan.events))}) "
            f"and app in ({literals(self.plan.projects)}))"
        )

    def _projection(self, line: str, event_id: str) -> dict[str, str]:
        """The columns of `event_rows` from a struct of the fields, which are text or typed."""

        def column(name: str) -> str:
            return f"{line}.{identifier(name)}"

        def yes_or_no(answer: str) -> str:
            return (
                f"case when lower(trim({answer})) in ({literals(self.plan.yes)}) then 'yes' "
                f"when lower(trim({answer})) in ({literals(self.plan.no)}) then 'no' end"
            )

        columns = {
            "event_id": event_id,
            "app": f"nullif({column('app')}, '')",
            "event_type": f"nullif({column('event_type')}, '')",
            "event_at": _time(column("event_time")),
            "server_uploaded_at": _time(column("server_upload_time")),
            "user_id": column("user_id"),
            "device_id": column("device_id"),
            "amplitude_id": column("amplitude_id"),
            "session_id": f"nullif(try_cast({column('session_id')} as bigint), -1)",
            "platform": column("platform"),
            "is_excluded": self._is_excluded(line),
            "insert_key": _insert_key(column("app"), column("device_id"), column("$insert_id")),
        }
        if self._reports:
            columns["event_id_text"] = (
                f"case when {column('event_type')} in ({literals(self._reports)}) "
                f"then trim({column('uuid')}::varchar) end"
            )
        for name, paths in self.plan.roles.items():
            value = f"coalesce({', '.join(_path(path, line) for path in paths)}, null)"
            if name == "email":
                columns["email_id"] = value
            elif name == "plan":
                columns["plan_text"] = value
                columns["plan"] = self._segment(value)
            elif name == "outcome_date":
                columns["outcome_date"] = f"try_cast({value} as date)"
                columns["outcome_date_text"] = (
                    f"case when try_cast({value} as date) is null then {value} end"
                )
            elif name in ("credited", "would_not_have_happened"):
                columns[name] = yes_or_no(value)
            elif name == "quantity":
                columns[name] = f"try_cast({value} as double)"
            elif name in EQUITY_ROLES:
                columns[name] = f"nullif(trim({value}), '')"
            else:
                columns[name] = value
        if any(event.keep for event in self.plan.events.values()):
            columns["properties"] = self._properties(line)
        ids = ", ".join(columns[name] for name in _KEYS if name in columns)
        columns["ids"] = _quick_hash(ids)
        return columns

    def _segment(self, plan: str) -> str:
        segments = " ".join(
            f"when {literal(value)} then {literal(segment)}"
            for value, segment in self.plan.plans.items()
        )
        return f"case trim({plan}) {segments} end" if segments else "null::varchar"

    def _is_excluded(self, line: str) -> str:
        rules = (
            f"coalesce(lower({_path(rule.property, line)}) in "
            f"({literals(value.lower() for value in rule.equals)}), false)"
            for rule in self.plan.exclude
        )
        return " or ".join(rules) or "false"

    def _properties(self, line: str) -> str:
        cases = []
        for name, event in sorted(self.plan.events.items()):
            if event.keep:
                entries = ", ".join(
                    f"{{'key': {literal(key)}, 'value': {_path(f'event.{key}', line)}}}"
                    for key in event.keep
                )
                cases.append(
                    f"when {literal(name)} then map_from_entries("
                    f"list_filter([{entries}], lambda entry: entry.value is not null))"
                )
        return f"case {line}.event_type {' '.join(cases)} end"


class MergeReader(Reader):
    """Reads Amplitude's files of merged ids into `raw.amplitude_merges`.

    They are small, so every line is read as text, and the line numbers come for free.
    """

    source = AMPLITUDE_MERGES
    tables = ("raw.amplitude_merges",)

    def read(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Read the files; see `Reader`."""
        stage_lines(connection, files)
        connection.execute(
            """
            create or replace temp table merge_rows as
            with read as (
                select *, case when is_utf8 and json_valid(line) and json_type(line) = 'OBJECT'
                    then line end as object
                from damaged_lines
            ),
            fields as (
                select *,
                    nullif(trim(object ->> 'amplitude_id'), '') as amplitude_id,
                    nullif(trim(object ->> 'merged_amplitude_id'), '') as merged_amplitude_id,
                    try_cast(coalesce(object ->> 'merge_server_time', object ->> 'merge_time')
                        as bigint) as merged_ms
                from read
            )
            select *, case
                when object is null then 'not a JSON object'
                when amplitude_id is null then 'amplitude_id is missing'
                when merged_amplitude_id is null then 'merged_amplitude_id is missing'
                when merged_ms is null then 'merge_server_time is missing or not a number'
                when merged_ms not between 0 and 7258118400000
                    then 'merge_server_time is not milliseconds since 1970'
            end as reason
            from fields
            """
        )
        connection.execute(
            """
            insert into raw.quarantined_rows
            select file_id, line_number, keyed_uuid('line:' || line), reason
            from merge_rows where reason is not null
            """
        )
        erased = forget_merges(connection, "merge_rows")
        connection.execute(
            """
            insert into raw.amplitude_merges
            select file_id, line_number,
                keyed_uuid(concat_ws(':', 'row', amplitude_id, merged_amplitude_id, merged_ms)),
                amplitude_key(amplitude_id), amplitude_key(merged_amplitude_id),
                make_timestamp(merged_ms * 1000), null
            from merge_rows where reason is null
            """
        )
        counts = {file.file_id: FileCounts(reason=file.damage) for file in files}
        for file_id, rows, quarantined, newest_ms in connection.execute(
            """
            select file_id, count(*), count(reason),
                make_timestamp(max(merged_ms) filter (reason is null) * 1000)
            from merge_rows group by file_id
            """
        ).fetchall():
            found = counts[file_id]
            found.rows_in, found.quarantined, found.newest_at = rows, quarantined, newest_ms
        for file_id, rows in erased.items():
            counts[file_id].leave_out(rows)
        return counts


def _hash_new_ids(connection: duckdb.DuckDBPyConnection, ids: Sequence[str], same: str) -> None:
    """Bring the temporary table `id_keys` up to the combinations of ids in `event_rows`.

    Rows find theirs by `ids`, a hash of the combination that is quick, and lives as long as the
    load; whoever reads it has to expect that two combinations share one.
    """
    columns = ", ".join(f"{name} varchar, {key} uuid" for name, key in _KEYS.items())
    connection.execute(f"create temp table if not exists id_keys (ids ubigint, {columns})")
    connection.execute(
        f"""
        create or replace temp table new_ids as
        select distinct ids, {", ".join(ids)}
        from event_rows as rows
        where not exists (from id_keys where id_keys.ids = rows.ids and {same})
        """
    )
    keyed = ", ".join(
        f"{name}s as materialized (select {name}, {key}({name}) as {key} "
        f"from (select distinct {name} from new_ids where {name} is not null))"
        for name, key in _KEYS.items()
        if name in ids
    )
    connection.execute(
        f"""
        insert into id_keys by name
        with {keyed}
        select new_ids.*, {", ".join(_KEYS[name] for name in ids)}
        from new_ids
        {" ".join(f"left join {name}s using ({name})" for name in ids)}
        """
    )


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(query).fetchall()[0]
    return row


def _chunked(
    files: Sequence[UnpackedFile],
    read: Callable[[duckdb.DuckDBPyConnection, Sequence[Path]], None],
    connection: duckdb.DuckDBPyConnection,
) -> list[UnpackedFile]:
    """Read files, many in one statement; returns those whose text cannot be read.

    One bad line fails the whole statement. DuckDB's message names the text in most cases. The
    others are read again in halves, so that many bad ones cost few reads of the good ones.
    """
    failed: list[UnpackedFile] = []
    texts: Iterable[_Text] = by_text(files).items()
    waiting = list(
        cut(texts, _text_size, most_items=_TEXTS_A_STATEMENT, most_bytes=_BYTES_A_STATEMENT)
    )
    while waiting:
        chunk = waiting.pop()
        if not chunk:
            continue
        try:
            read(connection, [path for path, _ in chunk])
        except (
            duckdb.InvalidInputException,
            duckdb.ConversionException,
            duckdb.IOException,
        ) as error:
            told = str(error)
            bad = {path for path, _ in chunk if len(chunk) == 1 or f'"{path}"' in told}
            failed += (file for path, of_text in chunk if path in bad for file in of_text)
            rest = [text for text in chunk if text[0] not in bad]
            half = len(rest) // 2
            waiting += [rest[:half], rest[half:]]
    return failed


def json_lines(texts: Sequence[Path], types: Mapping[str, str]) -> str:
    """Relation: the lines of files of JSON lines, with these columns and `filename`."""
    names = ", ".join(file_literal(text) for text in texts)
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    return f"""
        read_json(
            [{names}],
            format = 'newline_delimited',
            columns = {{{columns}}},
            filename = true,
            maximum_object_size = {_MAX_LINE_BYTES}
        )
    """


def find_lines(file: UnpackedFile, key: str, values: set[str]) -> dict[str, int]:
    """Line numbers (from 1) of the lines of a JSON-lines file whose `key` is one of `values`."""
    numbers: dict[str, int] = {}
    text = file.text
    if text.stat().st_size == 0:
        return numbers
    first = file.joined.start if file.joined else 0
    last = file.joined.end if file.joined else text.stat().st_size
    with (
        text.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        places: dict[int, str] = {}
        for value, written in ((v, w) for v in values for w in _ways_of_writing(v)):
            needle = written.encode()
            start = content.find(needle, first, last)
            while start >= 0:
                begin = max(content.rfind(b"\n", first, start) + 1, first)
                end = content.find(b"\n", start, last)
                line = content[begin : end if end >= 0 else last]
                if _value_of(line, key) == written:
                    places[begin] = value
                    break
                start = content.find(needle, start + 1, last)
        number, position = 1, first
        for begin in sorted(places):
            while (newline := content.find(b"\n", position, begin)) >= 0:
                number, position = number + 1, newline + 1
            numbers[places[begin]] = number
    return numbers


def _ways_of_writing(value: str) -> list[str]:
    """A uuid as DuckDB writes it, in every way in which a line may have it; other ids as is."""
    try:
        known = UUID(value)
    except ValueError:
        return [value]
    return [str(known), str(known).upper(), known.hex, known.hex.upper()]


def _first_lines(text: Path) -> str:
    """Some thousand lines of a JSON-lines file, or fewer if they are long."""
    lines: list[bytes] = []
    read = 0
    with text.open("rb") as stream:
        for line in islice(stream, _SAMPLED_LINES):
            read += len(line)
            if read > _SAMPLED_BYTES:
                break
            if line.strip():
                lines.append(line.strip())
    return b"\n".join(lines).decode(errors="replace")


def _text_size(text: _Text) -> int:
    return sum(map(_size, text[1]))


def _size(file: UnpackedFile) -> int:
    return file.joined.end - file.joined.start if file.joined else file.text.stat().st_size


def _value_of(line: bytes, key: str) -> str | None:
    try:
        value = json.loads(line)[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return str(value).strip()


def _fields(plan: TrackingPlan) -> dict[str, tuple[str, ...]]:
    """The fields to read: columns, which are text, and kinds of properties with their names."""
    structs: dict[str, set[str]] = {scope: set() for scope in _STRUCTS}
    fields: dict[str, tuple[str, ...]] = dict.fromkeys(_COLUMNS, ())
    for _, path in plan.paths():
        scope, name = path.split(".", 1)
        if scope == "column":
            fields[name] = ()
        else:
            structs[scope].add(name)
    fields |= {_STRUCTS[scope]: tuple(sorted(names)) for scope, names in structs.items() if names}
    return fields


def _duckdb_type(properties: Sequence[str]) -> str:
    if not properties:
        return "VARCHAR"
    return f"STRUCT({', '.join(f'{identifier(name)} VARCHAR' for name in properties)})"


def _json_structure(fields: Mapping[str, Sequence[str]]) -> str:
    """The same fields as `json_transform` wants them."""
    return json.dumps(
        {
            name: dict.fromkeys(properties, "VARCHAR") if properties else "VARCHAR"
            for name, properties in fields.items()
        }
    )


def _path(path: str, line: str) -> str:
    scope, name = path.split(".", 1)
    if scope == "column":
        return f"{line}.{identifier(name)}"
    return f"{line}.{_STRUCTS[scope]}.{identifier(name)}"


def _event_id(text: str) -> str:
    """Amplitude's uuid; where another client wrote another kind of id, a keyed hash of it."""
    return f"coalesce(try_cast({text} as uuid), keyed_uuid('event:' || nullif(trim({text}), '')))"


def _insert_key(app: str, device_id: str, insert_id: str) -> str:
    """Half of an MD5 over a secret salt, null if one of them is: hashing every row has to be cheap.

    (`md5_number_lower` would give the same half at seven times the cost, and `||` is slower than
    `concat`, which takes no notice of nulls.)
    """
    text = f"concat(getvariable('insert_salt'), {app}, chr(0), {device_id}, chr(0), {insert_id})"
    return (
        f"case when {insert_id} <> '' and {device_id} is not null and {app} is not null "
        f"then (md5_number({text}) & {2**64 - 1}::uhugeint)::ubigint end"
    )


def _quick_hash(values: str) -> str:
    return f"hash({values})"


def _listed(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{value} as {name}" for name, value in expressions.items())


def _time(column: str) -> str:
    cast = f"try_cast({column} as timestamp)"
    return f"case when {cast} >= '{_EARLIEST}' and {cast} < '{_LATEST}' then {cast} end"


def _broken(table: str) -> str:
    return " or ".join(f"{table}.{column} is null" for column in _REQUIRED.values())


def _broken_reason(table: str) -> str:
    cases = " ".join(
        f"when {table}.{column} is null then {literal(f'{name} is missing or not readable')}"
        for name, column in _REQUIRED.items()
    )
    return f"case {cases} end"


def _struct_checks(fields: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(
        f"when coalesce(json_type(line -> {literal(name)}), 'NULL') not in ('OBJECT', 'NULL') "
        f"then {literal(f'{name} is not a JSON object')}"
        for name in _STRUCTS.values()
        if name in fields
    )
