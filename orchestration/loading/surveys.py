"""Reads anybody's CSV through its mapping: surveys, coach entries, contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.contracts import (
    OUTCOME_TYPES,
    SEGMENTS,
    Column,
    Place,
    SurveyMapping,
    Themes,
)
from orchestration.contracts.survey_mapping import NUMERIC_ROLES, Bounds
from orchestration.contracts.vocabulary import EQUITY_ROLES, INCOME_KINDS
from orchestration.landing.names import SURVEYS
from orchestration.loading.batch import FileCounts, UnpackedFile
from orchestration.loading.collected import COLLECTED, UNKNOWN, UNREADABLE, CollectingReader
from orchestration.loading.comments import MASKED, comment_key, stage_comments
from orchestration.loading.csv_rows import (
    MAX_RECORD_BYTES,
    RECORDS,
    Header,
    read_header,
    stage_records,
)
from orchestration.loading.forgetting import forget_answers
from orchestration.loading.sql import literal, literals
from orchestration.loading.text import (
    DecodedFile,
    decode,
    is_blank,
    stage_lines,
    without_return,
)
from orchestration.loading.times import date_in_formats, time_in_formats

# What answers mean without a mapping of values, by role.
_USUAL_ANSWERS: Final[Mapping[str, Mapping[str, str]]] = {
    "outcome_type": {name: name for name in OUTCOME_TYPES},
    "plan": {name: name for name in SEGMENTS},
    **{
        role: {
            **dict.fromkeys(("yes", "y", "true", "1"), "yes"),
            **dict.fromkeys(("no", "n", "false", "0"), "no"),
        }
        for role in (
            "credited",
            "would_not_have_happened",
            "delivered",
            "answered",
            "looking_for_work",
        )
    },
    "income_kind": {name: name for name in INCOME_KINDS},
}
# An outcome type that nobody knows: what was answered may be anything, and stays in the file.
_UNKNOWN_TYPE: Final = "unknown"
# White space around an answer: blanks, tabs, line ends, no-break spaces.
_BLANKS: Final = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(65279)"
# With one of these, a row that comes again in another file is the same row.
_IDENTIFYING: Final = ("response_id", "submitted_at", "user_id", "email", "respondent_id")


class SurveyReader(CollectingReader):
    """Reads the files of one mapping into `raw.survey_responses`."""

    source = SURVEYS
    tables = ("raw.survey_responses",)

    def __init__(self, mapping: SurveyMapping, themes: Themes | None = None) -> None:
        super().__init__()
        self.mapping = mapping
        self.themes = themes

    def _collect(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        counts = {file.file_id: self._collect_one(connection, file) for file in files}
        for table in ("survey_rows", RECORDS, MASKED):
            connection.execute(f"drop table if exists {table}")
        return counts

    def _collect_one(self, connection: duckdb.DuckDBPyConnection, file: UnpackedFile) -> FileCounts:
        written = self.mapping.format
        decoded = decode(
            file.file_id,
            file.text,
            written.encoding,
            returns_end_lines=True,
            longest=MAX_RECORD_BYTES,
        )
        header = read_header(decoded, written)
        if header is None:
            return FileCounts(
                reason=file.damage
                or "holds no header; remove the file, or correct `format` of its mapping"
            )
        stage_records(connection, decoded, written, header, is_cut_off=file.is_cut_off)
        places = _Places(self.mapping, header)
        if places.problem is not None:
            connection.execute(f"update {RECORDS} set problem = $1", [places.problem])
        stage_comments(connection, self._comments(places), self.themes)
        connection.execute(self._rows(places, file.file_id))
        erased = self._forget(connection, places)
        counts = _count(connection)
        counts.leave_out(erased)
        counts.reason = places.problem or file.damage
        if counts.quarantined:
            _collect_unreadable(connection, decoded)
        if counts.quarantined + counts.erased < counts.rows_in:
            self._collect_unmapped(connection, places, file.file_id)
            connection.execute(_COLLECT)
        return counts

    def _collect_unmapped(
        self, connection: duckdb.DuckDBPyConnection, places: _Places, file_id: int
    ) -> None:
        """Count answers that nobody gave a meaning to; the answers themselves stay in the file."""
        for role in _USUAL_ANSWERS:
            column = self.mapping.columns.get(role)  # type: ignore[call-overload]
            if column is None or column.constant is not None:
                continue
            known = _folded_list(_known_answers(role, column))
            connection.execute(
                f"""
                insert into {UNKNOWN}
                select {file_id}, {literal(f"{role}: answers that the mapping does not name")},
                    count(*)
                from survey_rows
                where problem is null and {places.text(column)} is not null
                    and {_folded(places.text(column))} not in ({known})
                having count(*) > 0
                """
            )

    def _forget(self, connection: duckdb.DuckDBPyConnection, places: _Places) -> int:
        """Leave out the answers of people who were erased; returns how many they were."""
        if places.problem is not None:
            return 0
        columns = self.mapping.columns
        deleted = forget_answers(
            connection,
            "survey_rows",
            user=places.text(columns.get("user_id")),
            email=places.text(columns.get("email")),
            respondent=places.text(columns.get("respondent_id")),
            survey=self.mapping.survey,
            at="coalesce(submitted_at, invited_at)",
        )
        return sum(deleted.values())

    def _comments(self, places: _Places) -> str | None:
        """The comments of the records and their languages; null where none is asked for."""
        comment = self.mapping.columns.get("comment")
        if comment is None or places.problem is not None:
            return None
        language = self.mapping.columns.get("language")
        return f"""
            select {places.text(comment)} as text,
                {self._answer(places, "language", language, places.text(language))} as language
            from (select {places.answers()} from {RECORDS} where problem is null)
        """

    # -- SQL from the mapping -------------------------------------------------------------------

    def _rows(self, places: _Places, file_id: int) -> str:
        """The temporary table `survey_rows`: the columns of the raw table, `record`, `problem`."""
        if places.problem is not None:
            return (
                "create or replace temp table survey_rows as "
                f"select {file_id} as file_id, *, null::timestamp as submitted_at from {RECORDS}"
            )
        mapping = self.mapping
        survey = mapping.survey

        def text(role: str) -> str:
            return places.text(mapping.columns.get(role))  # type: ignore[call-overload]

        def answer(role: str, otherwise: str | None = None) -> str:
            column = mapping.columns.get(role)  # type: ignore[call-overload]
            return self._answer(places, role, column, otherwise)

        period = mapping.columns.get("period")
        constant_period = literal(period.constant or "") if period is not None else "null"
        submitted = mapping.columns.get("submitted_at")
        outcome_date = mapping.columns.get("outcome_date")
        submitted_at = time_in_formats(
            "submitted_text", submitted.formats if submitted else (), mapping.timezone
        )
        dated = date_in_formats("outcome_text", outcome_date.formats if outcome_date else ())
        waves = _Waves(mapping)
        report = "outcome_answer is not null"
        if mapping.report_when is not None:
            condition = places.text(mapping.report_when)
            wanted = _folded_list(mapping.report_when.equals)
            report = f"coalesce({_folded(condition)} in ({wanted}), false)"
        kept = _present(
            {
                name: self._answer(places, "", column, places.text(column))
                for name, column in mapping.keep.items()
                if column.bounds is None
            },
            "map(varchar, varchar)",
        )
        measured: dict[str, Column] = {
            **{role: column for role, column in mapping.columns.items() if role in NUMERIC_ROLES},
            **{name: column for name, column in mapping.keep.items() if column.bounds is not None},
        }
        numbers = {name: _number(places.text(column)) for name, column in measured.items()}
        flags = ", ".join(
            f"case when {places.text(column)} is not null "
            f"and not {_is_plausible(numbers[name], column.bounds)} then {literal(name)} end"
            for name, column in measured.items()
        )
        identifies = any(role in mapping.columns for role in _IDENTIFYING)
        # Rows of anonymous answers can be equal without being the same: within a file they are
        # told apart by their number, and between files when nothing says whose or when they are.
        scope = [survey] if identifies else [survey, str(file_id)]
        repeat = (
            "''"
            if "response_id" in mapping.columns
            else "coalesce(':' || nullif(nth, 1)::varchar, '')"
        )
        return f"""
            create or replace temp table survey_rows as
            with answers as (
                select *, to_json(record)::varchar as canonical, {places.answers()} from {RECORDS}
            ),
            texts as (
                select
                    *,
                    {text("submitted_at")} as submitted_text,
                    {answer("outcome_type", literal(_UNKNOWN_TYPE))} as outcome_answer,
                    {text("outcome_date")} as outcome_text,
                    {text("response_id")} as response_text,
                    {comment_key(text("comment"), answer("language", text("language")))}
                        as comment_key,
                    {text("wave")} as wave_text,
                    {text("wave_date")} as wave_date_text,
                    {text("invited_at")} as invited_text,
                    {text("delivered_at")} as delivered_text,
                    {answer("delivered")} as delivered_answer,
                    {answer("answered")} as answered_answer
                from answers
            ),
            parsed as (
                select
                    *,
                    row_number() over (partition by canonical order by line_number) as nth,
                    {submitted_at} as submitted_at,
                    {dated} as outcome_date,
                    {constant_period}::date as period,
                    {waves.columns()}
                from texts
            ),
            judged as (
                select
                    *,
                    -- Of who did not answer, a constant type or a left-over reports nothing.
                    {report} and is_answered is distinct from false as is_outcome_report
                from parsed
            )
            select
                {file_id}::bigint as file_id,
                line_number,
                keyed_uuid({literal(":".join(["row", *scope, ""]))} || canonical || {repeat})
                    as row_hash,
                keyed_uuid(coalesce(
                    {literal(f"response:{survey}:")} || response_text,
                    {literal(f"response:{survey}:{file_id}:")} || line_number::varchar
                )) as response_id,
                {literal(survey)} as survey,
                {literal(mapping.source)} as source,
                submitted_at,
                period,
                case when invited_at is not null
                    then coalesce(wave_text, wave_date::varchar, period::varchar) end as wave,
                case when invited_at is not null then coalesce(wave_date, period) end as wave_date,
                invited_at,
                case when invited_at is not null then is_delivered or is_answered end
                    as is_delivered,
                case when invited_at is not null then is_answered end as is_answered,
                user_key({text("user_id")}) as user_key,
                email_key({text("email")}) as email_key,
                keyed_uuid({literal(f"respondent:{survey}:")} || {text("respondent_id")})
                    as respondent_key,
                {answer("course_id", text("course_id"))} as course_id,
                {answer("plan")} as plan,
                {answer("language", text("language"))} as language,
                {answer("method", text("method"))} as method,
                {answer("nps_score", text("nps_score"))} as nps_score,
                is_outcome_report,
                case when is_outcome_report then outcome_answer end as outcome_type,
                case when is_outcome_report then outcome_date end as outcome_date,
                case when is_outcome_report and outcome_date is null then outcome_text end
                    as outcome_date_text,
                {answer("credited")} as credited,
                {answer("would_not_have_happened")} as would_not_have_happened,
                {answer("looking_for_work")} as looking_for_work,
                {answer("income_currency", text("income_currency"))} as income_currency,
                {answer("income_kind")} as income_kind,
                {", ".join(f"{answer(name, text(name))} as {name}" for name in EQUITY_ROLES)},
                {_present(numbers, "map(varchar, double)")} as numbers,
                list_filter([{flags}]::varchar[], lambda name: name is not null) as implausible,
                {kept} as answers,
                comment,
                themes,
                columns('^answer_[0-9]+$'),
                case
                    when problem is not null then problem
                    when {is_blank("array_to_string(record, '')")} then 'holds no answer'
                    {waves.problems()}
                    when submitted_text is not null and submitted_at is null
                        then 'submitted_at is not a time as the mapping says it is written'
                end as problem
            from judged
            left join {MASKED} using (comment_key)
        """

    def _answer(
        self, places: _Places, role: str, column: Column | None, otherwise: str | None
    ) -> str:
        """What an answer means; one without a meaning is `otherwise` (SQL)."""
        text = places.text(column)
        if column is None or column.constant is not None:
            return text
        known = _known_answers(role, column)
        if not known:
            return text
        cases = " ".join(
            f"when lower({literal(answer)}) then "
            + (literal(meaning) if meaning is not None else "null")
            for answer, meaning in known.items()
        )
        unknown = f"case when {text} is not null then {otherwise} end" if otherwise else "null"
        return f"case {_folded(text)} {cases} else {unknown} end"


class _Waves:
    """Invitations in SQL: who was invited when, who got and who answered it.

    Works on the columns that `_rows` has at that point: the texts of the row, and `submitted_at`
    and `period`, which are parsed.
    """

    def __init__(self, mapping: SurveyMapping) -> None:
        self._mapping = mapping
        self._invites = "invited_at" in mapping.columns

    def columns(self) -> str:
        """The columns wave_date, invited_at, is_delivered and is_answered.

        Where the mapping has `answered`, only a yes is an answer; else a time of submission is.
        """
        delivered = "delivered_answer = 'yes'"
        if "delivered_at" in self._mapping.columns:
            # A text that is no time, such as `N`, tells nothing for sure.
            delivered = (
                f"case when delivered_text is null then false "
                f"when {self._time('delivered_at', 'delivered_text')} is not null then true end"
            )
        answered = "null::boolean"
        if self._invites and "answered" in self._mapping.columns:
            answered = "answered_answer is not distinct from 'yes'"
        elif self._invites:
            answered = "submitted_text is not null"
        return (
            f"{date_in_formats('wave_date_text', self._formats('wave_date'))} as wave_date, "
            f"{self._time('invited_at', 'invited_text')} as invited_at, "
            f"{delivered} as is_delivered, {answered} as is_answered"
        )

    def problems(self) -> str:
        """The branches of a `case` that name what is wrong with a row."""
        has_period = "period" in self._mapping.columns
        problems = {
            "invited_text is not null and invited_at is null": (
                "invited_at is not a time as the mapping says it is written"
            ),
            "wave_date_text is not null and wave_date is null": (
                "wave_date is not a date as the mapping says it is written"
            ),
        }
        if "submitted_at" in self._mapping.columns and not has_period:
            is_open = " and (invited_at is null or is_answered)" if self._invites else ""
            problems[f"submitted_text is null{is_open}"] = "submitted_at is empty"
        if self._invites and not has_period:
            problems["invited_at is not null and wave_text is null and wave_date is null"] = (
                "says not which wave the invitation belongs to"
            )
        return " ".join(f"when {wrong} then {literal(why)}" for wrong, why in problems.items())

    def _time(self, role: str, text: str) -> str:
        return time_in_formats(text, self._formats(role), self._mapping.timezone)

    def _formats(self, role: str) -> Sequence[str]:
        column = self._mapping.columns.get(role)  # type: ignore[call-overload]
        return column.formats if column is not None else ()


class _Places:
    """Where the answers of a mapping stand in one file.

    Attributes:
        problem: why the mapping does not fit the file, and what to do; null if it does.
    """

    def __init__(self, mapping: SurveyMapping, header: Header) -> None:
        self._header = header
        self._nulls = [null.strip() for null in mapping.format.nulls if null.strip()]
        self._positions: set[int] = set()
        self.problem: str | None = None
        named: dict[str, Place] = {
            **{f"columns.{role}": column for role, column in mapping.columns.items()},
            **{f"keep.{name}": column for name, column in mapping.keep.items()},
        }
        if mapping.report_when is not None:
            named["report_when"] = mapping.report_when
        for key, place in named.items():
            if isinstance(place, Column) and place.constant is not None:
                continue
            problem = self._check(place)
            if problem is not None:
                self.problem = f"{problem} ({key} in {mapping.path.name})"
                return
            self._positions.add(self._position(place))

    def _check(self, place: Place) -> str | None:
        header, position = place.header, place.position
        names = self._header.names
        if position is not None:
            if position > self._header.width:
                return (
                    f"the file has {self._header.width} columns, and the mapping reads number "
                    f"{position}; correct `position`"
                )
            if header is not None and names[position - 1] != header.strip():
                return f"column {position} is not headed {header!r}; correct `position` or the file"
            return None
        found = names.count((header or "").strip())
        if found == 0:
            return f"no column is headed {header!r}; correct `header` or the file"
        if found > 1:
            return f"{found} columns are headed {header!r}; say which one by `position`"
        return None

    def text(self, place: Place | None) -> str:
        """The trimmed answer in SQL: a column or a constant; null where there is none."""
        if place is None:
            return "null::varchar"
        if isinstance(place, Column) and place.constant is not None:
            return literal(place.constant)
        return f"answer_{self._position(place)}"

    def answers(self) -> str:
        """The columns `answer_<position>` in SQL: the trimmed texts, null where there is none."""
        absent = literals(["", *self._nulls])
        trimmed = (
            (position, f"trim(record[{position}], {_BLANKS})")
            for position in sorted(self._positions)
        )
        return ", ".join(
            [
                "null as answer_0",
                *(
                    f"case when {text} not in ({absent}) then {text} end as answer_{position}"
                    for position, text in trimmed
                ),
            ]
        )

    def _position(self, place: Place) -> int:
        return place.position or self._header.names.index((place.header or "").strip()) + 1


def _known_answers(role: str, column: Column) -> dict[str, str | None]:
    """Answer -> meaning; what the mapping says goes before what is usual."""
    said = {**_USUAL_ANSWERS.get(role, {}), **(column.values or {})}
    return {answer.strip().lower(): meaning for answer, meaning in said.items()}


def _present(values: Mapping[str, str], kind: str) -> str:
    """A map in SQL from names to those of the values (SQL) that are not null."""
    if not values:
        return f"null::{kind}"
    entries = ", ".join(
        f"{{'key': {literal(name)}, 'value': {value}}}" for name, value in values.items()
    )
    return f"map_from_entries(list_filter([{entries}], lambda entry: entry.value is not null))"


def _number(text: str) -> str:
    """An answer as a number in SQL; null where it is none, and for infinity."""
    number = f"try_cast({text} as double)"
    return f"case when isfinite({number}) then {number} end"


def _is_plausible(number: str, bounds: Bounds | None) -> str:
    conditions = [f"({number}) is not null"]
    if bounds is not None and bounds.low is not None:
        conditions.append(f"({number}) >= {bounds.low!r}::double")
    if bounds is not None and bounds.high is not None:
        conditions.append(f"({number}) <= {bounds.high!r}::double")
    return f"({' and '.join(conditions)})"


def _folded(text: str) -> str:
    return f"lower({text})"


def _folded_list(answers: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(f"lower({literal(answer.strip())})" for answer in answers) or "null"


def _count(connection: duckdb.DuckDBPyConnection) -> FileCounts:
    rows_in, quarantined, newest_at = connection.execute(
        "select count(*), count(problem), max(submitted_at) filter (problem is null) "
        "from survey_rows"
    ).fetchall()[0]
    return FileCounts(rows_in=rows_in, quarantined=quarantined, newest_at=newest_at)


def _collect_unreadable(connection: duckdb.DuckDBPyConnection, file: DecodedFile) -> None:
    """Collect the rows with a problem; their line is the physical line they begin in."""
    stage_lines(connection, [file], "survey_text")
    connection.execute(
        f"""
        insert into {UNREADABLE}
        select survey_rows.file_id, line_number, {without_return("survey_text.line")}, problem
        from survey_rows
        left join survey_text using (line_number)
        where problem is not null
        """
    )
    connection.execute("drop table survey_text")


_COLLECT: Final = f"""
    insert into {COLLECTED} by name
    select
        file_id, line_number, row_hash, response_id, survey, source, submitted_at, period,
        wave, wave_date, invited_at, is_delivered, is_answered, user_key, email_key, respondent_key,
        course_id, plan, language, method, nps_score,
        is_outcome_report, outcome_type, outcome_date, outcome_date_text, credited,
        would_not_have_happened, looking_for_work, income_currency, income_kind, gender,
        disability, region, prior_education, numbers, implausible, answers, comment, themes
    from survey_rows
    where problem is null
"""
