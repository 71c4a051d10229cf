"""Reads Satismeter's responses: pages, bare lists, or one object a line. No comments are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.contracts import SEGMENTS, SatismeterMapping
from orchestration.landing.names import SATISMETER
from orchestration.loading.batch import FileCounts, UnpackedFile
from orchestration.loading.collected import UNKNOWN, CollectingReader
from orchestration.loading.json_rows import (
    PARSED,
    ROWS,
    Shape,
    collect_rows,
    stage_json_rows,
)
from orchestration.loading.sql import literal
from orchestration.loading.times import iso_time

SHAPE: Final = Shape(("responses",), ("id", "created"))
_COLUMNS: Final = (
    "response_id",
    "created_at",
    "survey",
    "method",
    "nps_score",
    "is_dismissed",
    "is_pending",
    "user_key",
    "email_key",
    "respondent_key",
    "plan",
    "language",
    "course_id",
)


class SatismeterReader(CollectingReader):
    """Reads the files into `raw.satismeter_responses`; without a mapping no trait is kept."""

    source = SATISMETER
    tables = ("raw.satismeter_responses",)

    def __init__(self, mapping: SatismeterMapping | None) -> None:
        super().__init__()
        self.mapping = mapping or SatismeterMapping()

    def _collect(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        stage_json_rows(connection, files, SHAPE)
        connection.execute(self._rows())
        connection.execute(
            f"""
            insert into {UNKNOWN}
            select file_id, 'plan: answers that the mapping does not name', count(*)
            from {PARSED}
            where problem is null and plan is null and plan_text is not null
            group by file_id
            """
        )
        return collect_rows(connection, files, _COLUMNS, "created_at")

    def _rows(self) -> str:
        plans = {**{name.lower(): name for name in SEGMENTS}, **self.mapping.plans}
        cases = " ".join(
            f"when lower({literal(value.strip())}) then {literal(segment)}"
            for value, segment in reversed(plans.items())
        )
        return f"""
            create or replace temp table {PARSED} as
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
