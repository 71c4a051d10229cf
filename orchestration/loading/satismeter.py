"""Reads Satismeter's responses: pages, bare lists, or one object a line. No comments are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.contracts import SEGMENTS, SatismeterMapping
from orchestration.landing.names import SATISMETER
from orchestration.loading.batch import FileCounts, Reader, UnpackedFile
from orchestration.loading.json_rows import ROWS, Shape, stage_json_rows
from orchestration.loading.quarantine import UNREADABLE, create_unreadable, quarantine
from orchestration.loading.sql import literal
from orchestration.loading.times import iso_time

_SHAPE: Final = Shape(("responses",), ("id", "created"))
_COLUMNS: Final = """
    file_id, line_number, row_hash, response_id, created_at, survey, method, nps_score,
    is_dismissed, is_pending, user_key, email_key, respondent_key, plan, language, course_id
"""


class SatismeterReader(Reader):
    """Reads the files into `raw.satismeter_responses`; without a mapping no trait is kept."""

    source: str = SATISMETER
    tables: Sequence[str] = ("raw.satismeter_responses",)

    def __init__(self, mapping: SatismeterMapping | None) -> None:
        self.mapping = mapping or SatismeterMapping()

    def read(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Read the files; see `Reader`."""
        counts = {file.file_id: FileCounts(reason=file.damage) for file in files}
        stage_json_rows(connection, files, _SHAPE)
        connection.execute(self._rows())
        for file_id, rows, quarantined, newest_at in connection.execute(
            """
            select file_id, count(*), count(problem), max(created_at) filter (problem is null)
            from satismeter_rows group by file_id
            """
        ).fetchall():
            found = counts[file_id]
            found.rows_in, found.quarantined, found.newest_at = rows, quarantined, newest_at
        create_unreadable(connection)
        connection.execute(
            f"insert into {UNREADABLE} select file_id, line_number, line, problem "
            "from satismeter_rows where problem is not null"
        )
        quarantine(connection)
        connection.execute(
            f"""
            insert into raw.satismeter_responses ({_COLUMNS}, duplicate_reason)
            select {_COLUMNS}, null from satismeter_rows where problem is null
            """
        )
        connection.execute(
            f"""
            insert into raw.unknown_fields (file_id, source, field, occurrences, is_sampled)
            select file_id, {literal(self.source)},
                'plan: answers that the mapping does not name', count(*), false
            from satismeter_rows
            where problem is null and plan is null and plan_text is not null
            group by file_id
            """
        )
        for table in ("satismeter_rows", ROWS):
            connection.execute(f"drop table {table}")
        return counts

    def _rows(self) -> str:
        plans = {**{name.lower(): name for name in SEGMENTS}, **self.mapping.plans}
        cases = " ".join(
            f"when lower({literal(value.strip())}) then {literal(segment)}"
            for value, segment in reversed(plans.items())
        )
        return f"""
            create or replace temp table satismeter_rows as
            with texts as (
                select
                    file_id, line_number, line, object, problem,
                    {_text("/id")} as id,
                    {_text("/created")} as created,
                    {iso_time(_text("/created"))} as created_at,
                    -- A campaign is a name, or an object with one.
                    coalesce(
                        case when json_type(object, '/campaign') = 'OBJECT' then coalesce(
                            {_text("/campaign/name")}, {_text("/campaign/id")}
                        ) else {_text("/campaign")} end
                    ) as survey,
                    {_text("/method")} as method,
                    coalesce({_text("/rating")}, {_text("/score")}) as nps_score,
                    {_text("/dismissed")} as dismissed,
                    {_text("/pending")} as pending,
                    {_text("/user/userId")} as user_id,
                    {_text("/user/email")} as email,
                    {_text("/user/id")} as anonymous_id,
                    {self._trait("plan")} as plan_text,
                    {self._trait("language")} as language,
                    {self._trait("course_id")} as course_id
                from {ROWS}
            )
            select
                file_id, line_number, line,
                keyed_uuid('row:' || object) as row_hash,
                keyed_uuid('response:satismeter:' || id) as response_id,
                created_at, survey, method, nps_score,
                coalesce(dismissed = 'true', false) as is_dismissed,
                coalesce(pending = 'true', false) as is_pending,
                user_key(user_id) as user_key,
                email_key(email) as email_key,
                keyed_uuid('respondent:satismeter:' || anonymous_id) as respondent_key,
                case lower(plan_text) {cases} end as plan,
                plan_text, language, course_id,
                case
                    when problem is not null then problem
                    when id is null then 'id is missing'
                    when created is null then 'created is missing'
                    when created_at is null
                        then 'created is not a time such as 2026-01-31T12:00:00Z'
                    when dismissed not in ('true', 'false') then 'dismissed is not true or false'
                    when pending not in ('true', 'false') then 'pending is not true or false'
                end as problem
            from texts
        """

    def _trait(self, column: str) -> str:
        """A trait of the user; Satismeter writes traits under `traits`, or beside the id."""
        trait = self.mapping.traits.get(column)  # type: ignore[call-overload]
        if trait is None:
            return "null::varchar"
        name = trait.replace("~", "~0").replace("/", "~1")
        return f"coalesce({_text(f'/user/traits/{name}')}, {_text(f'/user/{name}')})"


def _text(pointer: str) -> str:
    """The text at a JSON pointer, trimmed; null for nothing."""
    return f"nullif(trim(json_extract_string(object, {literal(pointer)})), '')"
