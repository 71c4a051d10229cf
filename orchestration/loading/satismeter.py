"""Reads Satismeter's responses: pages, bare lists, or one object a line. Comments are masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.contracts import SEGMENTS, SatismeterMapping, Themes
from orchestration.contracts.satismeter import FEEDBACK
from orchestration.landing.names import SATISMETER
from orchestration.loading.batch import FileCounts, UnpackedFile
from orchestration.loading.collected import UNKNOWN, CollectingReader
from orchestration.loading.comments import MASKED, comment_key, stage_comments
from orchestration.loading.json_rows import (
    PARSED,
    ROWS,
    Shape,
    collect_rows,
    stage_json_rows,
)
from orchestration.loading.sql import literal, literals
from orchestration.loading.times import iso_time

# Version 3 of the API calls its page `data`.
SHAPE: Final = Shape(("responses", "data"), ("id", "created"))
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
    "is_delivered",
    "comment",
    "themes",
)


class SatismeterReader(CollectingReader):
    """Reads the files into `raw.satismeter_responses`; without a mapping no trait is kept."""

    source = SATISMETER
    tables = ("raw.satismeter_responses",)

    def __init__(self, mapping: SatismeterMapping | None, themes: Themes | None = None) -> None:
        super().__init__()
        self.mapping = mapping or SatismeterMapping()
        self.themes = themes

    def _collect(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        stage_json_rows(connection, files, SHAPE)
        comments = f"select {self._comment()} as text, {self._language()} as language from {ROWS}"
        stage_comments(connection, comments if self.mapping.comments else None, self.themes)
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
        counts = collect_rows(connection, files, _COLUMNS, "created_at", self.source)
        connection.execute(f"drop table {MASKED}")
        return counts

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
                    coalesce({_text("/rating")}, {self._rating()}) as nps_score,
                    {_text("/dismissed")} as dismissed,
                    {_text("/pending")} as pending,
                    {_text("/user/userId")} as user_id,
                    {_text("/user/email")} as email,
                    {_text("/user/id")} as anonymous_id,
                    {self._trait("plan")} as plan_text,
                    {self._language()} as language,
                    {self._trait("course_id")} as course_id,
                    {comment_key(self._comment(), self._language())} as comment_key
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
                case when lower(method) in ({self._delivered_methods()}) then true end
                    as is_delivered,
                comment, themes,
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
            left join {MASKED} using (comment_key)
        """

    def _comment(self) -> str:
        """The free texts of a response, one below the other; null without any."""
        texts = ", ".join(
            _text("/feedback") if name == FEEDBACK else _answer(name)
            for name in self.mapping.comments
        )
        return f"nullif(array_to_string([{texts}], chr(10)), '')" if texts else "null::varchar"

    def _language(self) -> str:
        """Of the response where the export says it, else of the user."""
        is_text = "json_type(object, '/language') = 'VARCHAR'"
        of_response = f"case when {is_text} then {_text('/language')} end"
        return f"coalesce({of_response}, {self._trait('language')})"

    def _rating(self) -> str:
        question = self.mapping.rating_question
        return "null::varchar" if question is None else _answer(question)

    def _delivered_methods(self) -> str:
        return literals(name.strip().lower() for name in self.mapping.delivered_methods)

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


def _answer(question: str) -> str:
    """The answer to a question, by its id or label; null for nothing."""
    wanted = literal(question)
    return f"""nullif(trim(json_extract_string(list_filter(
        json_extract(object, '$.answers[*]'),
        lambda answer: {wanted} in (
            json_extract_string(answer, '$.id'), json_extract_string(answer, '$.label')
        )
    )[1], '$.value')), '')"""
