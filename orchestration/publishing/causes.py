"""Why a figure changed: what became of each report since the publication before.

Compares the published reports of two publications by their ids, and keeps nothing but counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb

from orchestration.publishing.fingerprint import Fingerprint
from orchestration.publishing.tables import Relation

LATE_ARRIVAL = "late_arrival"
IDENTITY_MERGE = "identity_merge"
ERASURE = "erasure"
CHANGED_CREDIT = "changed_credit"
CORRECTED_FILE = "corrected_file"
FILE_REMOVED = "file_removed"
AS_OF_PASSED = "as_of_passed"
DEFINITION = "definition_or_configuration"
UNEXPLAINED = "unexplained"

# Of several causes at one learner the first of these is named: what takes away or joins before what
# adds, and what is known of a report before what is only known of the whole.
CAUSES: Mapping[str, str] = {
    ERASURE: "somebody asked to be forgotten",
    FILE_REMOVED: "a file is no longer in the landing folder",
    CORRECTED_FILE: "a file says something else than before",
    IDENTITY_MERGE: "two ids turned out to be one person, or one to be two",
    CHANGED_CREDIT: "a learner said otherwise whether the school helped",
    LATE_ARRIVAL: "reports came in after the figure was published",
    AS_OF_PASSED: "the day has come for which it was reported",
    DEFINITION: "a rule, a mapping or a setting was changed",
    UNEXPLAINED: "the publication before is not there to compare with, or tells no more",
}

OUTCOMES = ("outcomes.agg_career_outcomes", "outcomes")
_REPORTS = Relation("outcomes", "fct_outcome_reports")
_FILES = Relation("ops", "loaded_files")
_NEEDED = {
    _REPORTS: {
        *("report_id", "learner_key", "source", "source_file", "outcome_date", "outcome_type"),
        *("credited", "would_not_have_happened", "decision", "invalid_reason", "outcome_id"),
    },
    _FILES: {"path", "contract_hash", "rows_erased"},
}
_NPS = ("nps.agg_nps", "respondents")
_NPS_SCORE = ("nps.agg_nps", "nps")
_RESPONSES = Relation("nps", "fct_nps_responses")
_NEEDED_OF_RESPONSES = {
    *("response_id", "learner_key", "month", "survey", "score", "is_latest_per_learner_month"),
}


@dataclass(frozen=True)
class Effect:
    """What a cause does to a figure of a month.

    Attributes:
        change: what it adds to the figure.
        reports: how many reports it lets count there, or count no longer.
    """

    change: int
    reports: int


@dataclass(frozen=True)
class Effects:
    """The effects on a figure, by month, breakdown and cause; `is_sum` where they add up to it."""

    is_sum: bool
    found: Mapping[tuple[date, tuple[tuple[str, str], ...]], Mapping[str, Effect]] = field(
        default_factory=dict
    )

    def causes(self, month: date, by: Mapping[str, str]) -> Mapping[str, Effect]:
        """The causes of a change of one value."""
        return self.found.get((month, tuple(sorted(by.items()))), {})


def find_effects(
    cursor: duckdb.DuckDBPyConnection,
    before: str,
    after: str,
    *,
    was_made_from: Fingerprint,
    is_made_from: Fingerprint,
    is_as_of_another_day: bool,
) -> dict[tuple[str, str], Effects]:
    """The effects of everything that changed between two catalogs with published tables.

    Args:
        cursor: sees both catalogs.
        before: catalog of the publication before.
        after: catalog of what is to be published.
        was_made_from: inputs of the publication before.
        is_made_from: inputs of the one to be.
        is_as_of_another_day: the two are judged as of different days.

    Returns:
        By relation and figure; without a figure whose reports one of the two does not have.
    """
    is_same_rule = (was_made_from.contracts, was_made_from.dbt, was_made_from.settings) == (
        is_made_from.contracts,
        is_made_from.dbt,
        is_made_from.settings,
    )
    # Of a change at a learner none of whose reports has changed.
    rest = UNEXPLAINED if is_same_rule else DEFINITION
    if is_same_rule and is_as_of_another_day:
        rest = AS_OF_PASSED
    effects: dict[tuple[str, str], Effects] = {}
    if all(
        _has(cursor, catalog, relation, columns)
        for catalog in (before, after)
        for relation, columns in _NEEDED.items()
    ):
        rows = cursor.execute(_outcomes_sql(before, after), {"rest": rest}).fetchall()
        effects[OUTCOMES] = Effects(
            is_sum=True,
            found=_collect(
                (month, (), cause, change, reports) for month, cause, change, reports in rows
            ),
        )
    if all(_has(cursor, catalog, _RESPONSES, _NEEDED_OF_RESPONSES) for catalog in (before, after)):
        tells_erasures = all(
            _has(cursor, catalog, _FILES, {"source", "rows_erased"}) for catalog in (before, after)
        )
        rows = cursor.execute(
            _responses_sql(before, after, tells_erasures), {"rest": rest}
        ).fetchall()
        found = _collect(
            (month, (("basis", basis), ("survey", survey)), cause, change, reports)
            for basis, survey, month, cause, change, reports in rows
        )
        effects[_NPS] = Effects(is_sum=True, found=found)
        effects[_NPS_SCORE] = Effects(is_sum=False, found=found)
    return effects


def _collect(
    rows: Iterable[tuple[date, tuple[tuple[str, str], ...], str, int, int]],
) -> dict[tuple[date, tuple[tuple[str, str], ...]], dict[str, Effect]]:
    found: dict[tuple[date, tuple[tuple[str, str], ...]], dict[str, Effect]] = {}
    for month, by, cause, change, reports in rows:
        found.setdefault((month, by), {})[cause] = Effect(change, reports)
    return found


def _has(
    cursor: duckdb.DuckDBPyConnection, catalog: str, relation: Relation, columns: set[str]
) -> bool:
    # Asked of the catalog: asking the table itself would end the transaction where there is none.
    found = cursor.execute(
        "select column_name from duckdb_columns() "
        "where database_name = ? and schema_name = ? and table_name = ?",
        [catalog, relation.schema, relation.table],
    ).fetchall()
    return columns <= {name for (name,) in found}


def _outcomes_sql(before: str, after: str) -> str:
    """By month and cause: what the cause adds to counted outcomes, and through how many reports.

    A report's own cause is what happened to itself; one to which nothing happened takes the cause
    of what happened to other reports of its learner, since a learner is always judged as a whole.
    """
    ranked = " ".join(f"when '{cause}' then {rank}" for rank, cause in enumerate(CAUSES))
    named = " ".join(f"when {rank} then '{cause}'" for rank, cause in enumerate(CAUSES))
    reports = f"""
        select
            reports.report_id, reports.learner_key, reports.source, reports.source_file,
            reports.outcome_date, reports.outcome_type, reports.credited,
            reports.would_not_have_happened, reports.decision, reports.invalid_reason,
            outcomes.decision as outcome_decision
        from {_REPORTS.sql("{catalog}")} as reports
        left join {_REPORTS.sql("{catalog}")} as outcomes
            on reports.outcome_id = outcomes.report_id
    """
    files = f"select path, contract_hash, rows_erased from {_FILES.sql('{catalog}')}"
    return f"""
    with
        before as ({reports.replace("{catalog}", before)}),
        after as ({reports.replace("{catalog}", after)}),
        files_before as ({files.replace("{catalog}", before)}),
        files_after as ({files.replace("{catalog}", after)}),
        compared as (
            select
                before.learner_key as learner_before,
                after.learner_key as learner_after,
                case
                    when before.decision = 'counted'
                    then date_trunc('month', before.outcome_date)::date
                end as month_before,
                case
                    when after.decision = 'counted'
                    then date_trunc('month', after.outcome_date)::date
                end as month_after,
                before.report_id is not null and after.report_id is not null
                    and (before.outcome_decision = 'not_credited')
                    != (after.outcome_decision = 'not_credited') as is_credit_decided_otherwise,
                files_before.path is not null and files_after.path is not null
                    and files_before.contract_hash is distinct from files_after.contract_hash
                    as is_read_otherwise,
                case
                    when before.report_id is null and is_read_otherwise then '{DEFINITION}'
                    when before.report_id is null then '{LATE_ARRIVAL}'
                    when after.report_id is null and files_after.path is null
                    then '{FILE_REMOVED}'
                    when after.report_id is null
                        and coalesce(files_after.rows_erased, 0)
                        > coalesce(files_before.rows_erased, 0)
                    then '{ERASURE}'
                    when after.report_id is null and is_read_otherwise then '{DEFINITION}'
                    when after.report_id is null then '{CORRECTED_FILE}'
                    when before.learner_key is distinct from after.learner_key
                    then '{IDENTITY_MERGE}'
                    when is_read_otherwise and (
                        before.credited is distinct from after.credited
                        or before.would_not_have_happened
                            is distinct from after.would_not_have_happened
                        or before.outcome_date is distinct from after.outcome_date
                        or before.outcome_type is distinct from after.outcome_type
                        or before.source is distinct from after.source
                    )
                    then '{DEFINITION}'
                    when before.credited is distinct from after.credited
                        or before.would_not_have_happened
                            is distinct from after.would_not_have_happened
                    then '{CHANGED_CREDIT}'
                    when before.outcome_date is distinct from after.outcome_date
                        or before.outcome_type is distinct from after.outcome_type
                        or before.source is distinct from after.source
                    then '{CORRECTED_FILE}'
                    when before.invalid_reason = 'not_yet'
                        and after.invalid_reason is distinct from 'not_yet'
                    then '{AS_OF_PASSED}'
                end as own_cause
            from before
            full join after on before.report_id = after.report_id
            left join files_before
                on coalesce(before.source_file, after.source_file) = files_before.path
            left join files_after
                on coalesce(before.source_file, after.source_file) = files_after.path
        ),
        happened as (
            select learner_before as learner_key, own_cause from compared
            union all
            select learner_after, own_cause from compared
        ),
        learners as (
            select learner_key, min(case own_cause {ranked} end) as rank
            from happened
            where own_cause is not null and learner_key is not null
            group by learner_key
        ),
        affected as (
            select
                month_before,
                month_after,
                case
                    when own_cause is not null then own_cause
                    when is_credit_decided_otherwise
                        and coalesce(least(mine.rank, theirs.rank), 99)
                        >= (case '{LATE_ARRIVAL}' {ranked} end)
                    then '{CHANGED_CREDIT}'
                    else coalesce(case least(mine.rank, theirs.rank) {named} end, $rest)
                end as cause
            from compared
            left join learners as mine on compared.learner_before = mine.learner_key
            left join learners as theirs on compared.learner_after = theirs.learner_key
            where month_before is distinct from month_after
        ),
        contributions as (
            select month_before as month, cause, -1 as change from affected
            where month_before is not null
            union all
            select month_after, cause, 1 from affected
            where month_after is not null
        )
    select month, cause, sum(change)::bigint, count(*)
    from contributions
    group by month, cause
    """


def _responses_sql(before: str, after: str, tells_erasures: bool) -> str:
    """By basis, survey, month and cause: the respondents it adds, and by how many answers."""

    def erased(catalog: str) -> str:
        sources = "source in ('surveys', 'satismeter')"
        files = _FILES.sql(catalog)
        return f"(select coalesce(sum(rows_erased), 0) from {files} where {sources})"

    is_erasure = f"{erased(after)} > {erased(before)}" if tells_erasures else "false"
    responses = f"""
        select response_id, learner_key, survey, month, score, is_latest_per_learner_month
        from {_RESPONSES.sql("{catalog}")}
    """
    return f"""
    with
        before as ({responses.replace("{catalog}", before)}),
        after as ({responses.replace("{catalog}", after)}),
        -- A response does not say which file it came from: one that is gone was erased if files of
        -- responses have lost rows to an erasure since.
        erased as (
            select {is_erasure} as is_erasure
        ),
        compared as (
            select
                coalesce(after.survey, before.survey) as survey,
                before.month as month_before,
                after.month as month_after,
                before.is_latest_per_learner_month as was_latest,
                after.is_latest_per_learner_month as is_latest,
                before.score is distinct from after.score as is_scored_otherwise,
                case
                    when before.response_id is null then '{LATE_ARRIVAL}'
                    when after.response_id is null and erased.is_erasure then '{ERASURE}'
                    when after.response_id is null then '{CORRECTED_FILE}'
                    when before.score is distinct from after.score
                        or before.month is distinct from after.month
                    then '{CORRECTED_FILE}'
                    when before.learner_key is distinct from after.learner_key
                    then '{IDENTITY_MERGE}'
                    when was_latest and not is_latest then '{LATE_ARRIVAL}'
                    else $rest
                end as cause
            from before
            full join after on before.response_id = after.response_id
            cross join erased
        ),
        by_basis as (
            select
                'all_responses' as basis,
                survey,
                month_before,
                month_after,
                is_scored_otherwise,
                cause
            from compared
            union all
            select
                'latest_per_learner',
                survey,
                case when was_latest then month_before end,
                case when is_latest then month_after end,
                is_scored_otherwise,
                cause
            from compared
        ),
        contributions as (
            select basis, survey, month_before as month, cause, -1 as change from by_basis
            where month_before is not null
                and (month_before is distinct from month_after or is_scored_otherwise)
            union all
            select basis, survey, month_after, cause, 1 from by_basis
            where month_after is not null
                and (month_before is distinct from month_after or is_scored_otherwise)
        )
    select basis, survey, month, cause, sum(change)::bigint, count(*)
    from contributions
    group by basis, survey, month, cause
    """
