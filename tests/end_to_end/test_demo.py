"""The whole job, with all models, on a small demo: nothing in, published file and UI out."""

from __future__ import annotations

import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration.demo import Marker, Truth, read_marker
from orchestration.publishing import current_publication, restricted_file
from tests.end_to_end.conftest import School, copy_repository

# The interface for BI: these tables and columns stay, others may come.
PUBLISHED = {
    "core.dim_learners": "learner_key signup_date signup_language country current_plan "
    "first_touch_channel",
    "core.dim_courses": "course_id title language",
    "core.fct_learner_days": "learner_key activity_date event_type events",
    "core.fct_subscriptions": "learner_key plan started_on ended_on",
    "outcomes.fct_outcome_reports": "report_id learner_key source source_file line_number "
    "reported_on outcome_date outcome_type credited decision outcome_id blocked_by_outcome_id "
    "invalid_reason",
    "outcomes.fct_career_outcomes": "outcome_id learner_key outcome_date outcome_types family "
    "segment evidence is_counted credit_conflict",
    "outcomes.agg_career_outcomes": "month segment family evidence outcomes",
    "nps.fct_nps_responses": "response_id learner_key responded_at score category survey plan "
    "course_id language method is_latest_per_learner_month",
    "nps.agg_nps": "basis month survey plan course_id language method respondents promoters "
    "passives detractors nps nps_low nps_high",
    "retention.agg_retention": "definition cohort interval_index cohort_size retained is_complete",
    "retention.agg_premium_survival": "segment months at_risk ended censored survival "
    "survival_low survival_high",
    "retention.agg_lifecycle": "definition interval_start new current resurrected dormant active",
    "retention.agg_stickiness": "definition period_start intervals learners_exactly "
    "learners_at_least",
    "funnels.agg_funnel": "funnel step learners converted pending median_seconds",
    "acquisition.agg_signups": "date language signups",
    "acquisition.agg_paying_by_channel": "attribution month channel conversions",
    "courses.agg_course_success": "course_id enrolled started completed certified "
    "outcomes_12_months",
    "support.fct_tickets": "ticket_id created_at channel plan_at_creation had_account "
    "first_reply_seconds first_reply_business_seconds full_resolution_seconds "
    "requester_wait_seconds agent_wait_seconds on_hold_seconds reopens csat is_deleted",
    "support.agg_support_daily": "date plan created solved backlog median_first_reply_seconds "
    "p90_first_reply_seconds csat_good csat_bad ratings_offered ratings_received calls_answered "
    "calls_abandoned",
    "ops.loaded_files": "",
    "ops.published_at": "",
}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    """A copy whose landing folder is empty, so that its first run writes a demo: a small one."""
    folder = tmp_path_factory.mktemp("demo")
    repository = copy_repository(folder / "repository", with_project=True)
    writing = repository / "orchestration" / "demo" / "writing.py"
    text = writing.read_text()
    for name, value in (("LEARNERS", 400), ("MONTHS", 9)):
        text, found = re.subn(rf"(?m)^(DEFAULT_{name}: Final) = .*$", rf"\1 = {value}", text)
        assert found == 1, name
    writing.write_text(text)
    return School(repository, folder / "data")


@pytest.fixture(scope="module")
def output(school: School) -> str:
    """What the first run prints."""
    done = school.run()
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def marker(school: School, output: str) -> Marker:
    """What the first run left beside the demo that it wrote."""
    assert output
    marker = read_marker(school.settings.landing)
    assert marker is not None
    return marker


@pytest.fixture(scope="module")
def truth(marker: Marker) -> Truth:
    return marker.truth


@pytest.fixture
def instance(
    school: School, output: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    assert output
    monkeypatch.setenv("DAGSTER_HOME", str(school.settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        yield instance


def metadata(instance: dg.DagsterInstance, *key: str) -> dict[str, object]:
    event = instance.get_latest_materialization_event(dg.AssetKey(list(key)))
    assert event is not None, key
    materialization = event.asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def ask_warehouse(school: School, sql: str) -> list[tuple[Any, ...]]:
    """What no published table tells."""
    with duckdb.connect(str(school.settings.warehouse), read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


def by_name(school: School, sql: str) -> dict[object, object]:
    """What the published file tells of each name: two columns."""
    return {row[0]: row[1] for row in school.query(sql)}


def test_the_run_tells_its_steps_its_figures_and_where_the_file_is(
    school: School, output: str
) -> None:
    for told in (
        "Loaded the exports in",
        "Checked what was loaded in",
        "Built and tested the marts in",
        "Published in",
        "Career outcomes",
        "NPS",
        "Week-4 retention",
        str(school.published),
    ):
        assert told in output, output
    assert "no data yet" not in output
    for stage in ("Loading", "Building", "Publishing"):
        assert re.search(rf"^{stage} [\d,]+ of [\d,]+\b.* …$", output, re.MULTILINE), output


def test_a_first_run_writes_a_demo_makes_its_key_and_says_so(
    school: School, marker: Marker, output: str
) -> None:
    landing, truth = school.settings.landing, marker.truth
    key = school.settings.state / "demo.key"
    assert (
        "The landing folder was empty: wrote demo exports of 400 invented learners "
        f"({truth.first_day} to {truth.last_day}) to {landing}\n"
    ) in output
    assert (
        f"Made a pseudonym key for the demo: {key}. Own exports need NORTHSTAR_SECRET.\n" in output
    )
    assert marker.files
    assert all((landing / name).is_file() for name in marker.files)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_published_tables_have_the_columns_that_readers_rely_on(
    school: School, output: str
) -> None:
    assert output
    columns: dict[object, set[str]] = defaultdict(set)
    for table, column in school.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where not internal"
    ):
        columns[table].add(str(column))

    assert set(PUBLISHED) <= set(columns)
    assert {
        table: missing
        for table, relied_on in PUBLISHED.items()
        if (missing := set(relied_on.split()) - columns[table])
    } == {}


def test_every_mart_is_published_but_the_restricted_one(school: School, output: str) -> None:
    assert output
    folder = school.repository / "dbt_project" / "models" / "marts"
    marts = {f"{path.parent.name}.{path.stem}" for path in folder.rglob("*.sql")}
    of_publications = {"outcomes.restatements", "outcomes.published_history", "ops.published_at"}

    expected = (marts | of_publications) - {"nps.nps_comments"}
    tables = school.query("select schema_name || '.' || table_name from duckdb_tables()")
    assert {table for (table,) in tables} == expected


def test_the_figures_that_a_run_prints_are_those_that_the_demo_holds(
    school: School, truth: Truth, output: str
) -> None:
    counted, retention = truth.outcomes.last_12_months, truth.week_4_retention
    printed = re.search(r"Career outcomes +([\d,]+) +12 months before (\S+);", output)
    assert printed is not None
    assert printed.groups() == (f"{counted:,}", str(truth.as_of))
    cohorts = f"{retention.retained:,} of {retention.learners:,} learners in complete cohorts"
    assert cohorts in output
    assert school.query("select as_of from ops.published_at") == [(truth.as_of,)]


def test_people_are_as_many_as_the_demo_holds(school: School, truth: Truth) -> None:
    people = truth.people
    assert school.query("select count(*) from core.dim_learners") == [(people.learners,)]
    assert school.query(
        "select count(distinct learner_key) from outcomes.fct_outcome_reports "
        "where learner_key not in (select learner_key from core.dim_learners)"
    ) == [(people.email_only,)]
    assert ask_warehouse(
        school, "select count(distinct user_key) from raw.events where is_excluded"
    ) == [(people.bots + people.test_accounts,)]


def test_every_row_of_an_event_file_is_accounted_for(school: School, truth: Truth) -> None:
    events = truth.events
    assert school.query(
        "select sum(rows_in), sum(rows_loaded), sum(rows_duplicate), sum(rows_quarantined), "
        "sum(rows_not_in_plan), sum(rows_erased) "
        "from ops.loaded_files where source = 'amplitude_events'"
    ) == [
        (
            events.rows_in,
            events.distinct,
            events.duplicates,
            events.quarantined,
            events.not_in_plan,
            0,
        )
    ]
    assert dict(
        ask_warehouse(
            school,
            "select duplicate_reason, count(*) from raw.events "
            "where duplicate_reason is not null group by all",
        )
    ) == {"same_uuid": events.same_uuid, "client_retry": events.client_retry}


def test_events_belong_to_learners_visitors_and_robots_as_in_the_demo(
    school: School, truth: Truth
) -> None:
    events = truth.events
    assert by_name(school, "select status, sum(events) from ops.events_by_day group by all") == {
        "counted": events.of_learners + events.of_visitors,
        "excluded": events.excluded,
    }
    assert by_name(
        school, "select is_anonymous, sum(events) from core.fct_learner_days group by all"
    ) == {False: events.of_learners, True: events.of_visitors}
    assert ask_warehouse(
        school,
        "select count(*) from raw.events where duplicate_reason is null "
        "and server_uploaded_at - event_at >= interval 1 day",
    ) == [(events.late,)]


def test_learner_days_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    assert school.query(
        "select count(distinct (learner_key, activity_date)) from core.fct_learner_days "
        "where learner_key in (select learner_key from core.dim_learners)"
    ) == [(truth.learner_days,)]


def test_files_are_loaded_with_all_rows_that_the_demo_wrote(school: School, truth: Truth) -> None:
    written: dict[str, Counter[str]] = defaultdict(Counter)
    for name, found in truth.files.items():
        written[name.partition("/")[0]].update(found.model_dump())
    assert {
        row[:2]: row[2:]
        for row in school.query(
            "select source, status, count(*), sum(rows_in), sum(rows_loaded) "
            "from ops.loaded_files group by all"
        )
    } == {
        (source, "loaded"): (found["files"], found["rows_in"], found["distinct"])
        for source, found in written.items()
    }
    assert {
        f"surveys/{row[0]}": row[1:]
        for row in ask_warehouse(
            school,
            "select survey, count(distinct file_id), count(*), "
            "count(*) filter (where duplicate_reason is null) "
            "from raw.survey_responses group by all",
        )
    } == {
        name: (found.files, found.rows_in, found.distinct)
        for name, found in truth.files.items()
        if name.startswith("surveys/")
    }


def test_reports_have_the_sources_and_decisions_that_the_demo_holds(
    school: School, truth: Truth
) -> None:
    reports = truth.reports
    assert school.query("select count(*) from outcomes.fct_outcome_reports") == [(reports.total,)]
    for column, told in (
        ("source", reports.by_source),
        ("decision", reports.by_decision),
        ("invalid_reason", reports.by_invalid_reason),
    ):
        found = by_name(
            school,
            f"select {column}, count(*) from outcomes.fct_outcome_reports "
            f"where {column} is not null group by all",
        )
        assert found == told


def test_outcomes_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    told = truth.outcomes
    assert school.query(
        "select count(*), count(*) filter (where is_counted), "
        "count(*) filter (where credit_conflict), count(*) filter (where is_counted and "
        f"outcome_date >= date '{truth.as_of}' - interval 12 months "
        f"and outcome_date < date '{truth.as_of}') from outcomes.fct_career_outcomes"
    ) == [(told.real, told.counted, told.credit_conflicts, told.last_12_months)]
    for column, by in (
        ("strftime(month, '%Y-%m')", told.by_month),
        ("evidence", told.by_evidence),
        ("family", told.by_family),
        ("segment", told.by_segment),
    ):
        found = by_name(
            school,
            f"select {column}, sum(outcomes) from outcomes.agg_career_outcomes group by all",
        )
        assert found == by


def test_answers_about_recommendation_are_those_that_the_demo_holds(
    school: School, truth: Truth
) -> None:
    assert {
        row[0]: row[1:]
        for row in school.query(
            "select survey, sum(promoters), sum(passives), sum(detractors), sum(respondents) "
            "from nps.agg_nps where basis = 'all_responses' group by all"
        )
    } == {
        survey: (told.promoters, told.passives, told.detractors, told.respondents)
        for survey, told in truth.nps.items()
    }
    assert {
        row[0]: row[1:]
        for row in school.query(
            """
            select survey,
                sum(if(reason in ('not_a_whole_number', 'out_of_range'), answers, 0)),
                sum(if(reason in ('empty', 'dismissed', 'pending'), answers, 0))
            from nps.agg_nps_rejected group by all
            """
        )
    } == {survey: (told.rejected, told.unanswered) for survey, told in truth.nps.items()}


def test_signups_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    signups = truth.signups
    assert school.query("select count(signup_date) from core.dim_learners") == [(signups.total,)]
    found = by_name(
        school,
        "select strftime(signup_date, '%Y-%m') as month, count(*) from core.dim_learners "
        "where signup_date is not null group by all",
    )
    assert found == signups.by_month
    # Twelve months are more than the demo's.
    for days, told in (
        ("is_last_12_months", signups.by_language),
        ("is_last_30_days", signups.last_30_days_by_language),
    ):
        found = by_name(
            school,
            "select language, sum(signups) as number from acquisition.agg_signups "
            f"where {days} group by all having number > 0",
        )
        assert found == told


def test_subscriptions_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    told = truth.subscriptions
    assert school.query("select count(*) from core.fct_subscriptions") == [(told.spells,)]
    for plan, running in (
        ("plan", told.running_by_first_plan),
        ("last_plan", told.running_by_plan),
    ):
        found = by_name(
            school,
            f"select {plan}, count(*) from core.fct_subscriptions "
            "where ended_on is null group by all",
        )
        assert found == running
    plans = by_name(school, "select current_plan, count(*) from core.dim_learners group by all")
    free = truth.people.learners - sum(told.running_by_plan.values())
    assert plans == {**told.running_by_plan, "free": free}


def test_courses_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    assert {
        row[0]: row[1:]
        for row in school.query(
            "select course_id, enrolled, started, completed, certified "
            "from courses.agg_course_success"
        )
    } == {
        course: (told.enrolled, told.started, told.completed, told.certified)
        for course, told in truth.courses.items()
    }
    assert school.query(
        "select count(*), count(*) filter (where is_listed) from core.dim_courses"
    ) == [(len(truth.courses), truth.courses_listed)]


def test_waves_of_the_survey_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    waves = {
        (wave, segment): (of.population, of.invited, of.delivered, of.answered, of.outcomes)
        for wave, found in truth.waves.items()
        for segment, of in found.by_segment.items()
    }
    assert waves
    assert waves == {
        row[:2]: row[2:]
        for row in school.query(
            "select wave, segment, population, invited, delivered, answered, outcomes "
            "from outcomes.agg_survey_waves where survey = 'alumni_survey'"
        )
    }
    assert school.query(
        "select wave, found_by_survey, found_otherwise, found_by_both "
        "from outcomes.agg_capture_recapture where compared_with = 'product' order by all"
    ) == [
        (wave, found.found_by_survey, found.found_by_product, found.found_by_both)
        for wave, found in truth.waves.items()
    ]
    assert any(found.found_by_both for found in truth.waves.values())


def test_outcomes_by_group_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    rows = school.query(
        "select year::varchar, dimension, group_name, outcomes, suppressed "
        "from outcomes.agg_outcomes_by_group where dimension != 'region'"
    )
    assert {row[0] for row in rows} == set(truth.counted_by_group)
    assert {row[1] for row in rows} == {"total", "gender", "disability", "prior_education"}
    for year, dimension, group, outcomes, suppressed in rows:
        told = truth.counted_by_group[str(year)][str(dimension)].get(str(group), 0)
        assert suppressed or outcomes == told >= 10
    assert any(not row[4] for row in rows)


def test_placement_and_income_are_those_that_the_demo_holds(school: School, truth: Truth) -> None:
    assert any(paid.people >= 10 for paid in truth.income.values())
    placed = {
        row[0]: row[1:]
        for row in school.query(
            "select cohort_year::varchar, graduates, placed, respondents, placed_respondents "
            "from outcomes.agg_placement where dimension = 'total'"
        )
    }
    assert placed.keys() == truth.placement.keys()
    for year, told in truth.placement.items():
        graduates, placed_graduates, respondents, placed_respondents = placed[year]
        if told.graduates == 0 or told.graduates >= 10:
            assert (graduates, placed_graduates) == (told.graduates, told.placed)
        if told.respondents == 0 or told.respondents >= 10:
            assert (respondents, placed_respondents) == (told.respondents, told.placed_respondents)
    incomes = school.query(
        "select year::varchar, people, people_with_percentage, full_time_equivalents, "
        "median_difference, median_percentage, share_increased_5_percent "
        "from outcomes.agg_income where dimension = 'total' order by year"
    )
    assert [row[0] for row in incomes] == list(truth.income)
    for row, paid in zip(incomes, truth.income.values(), strict=True):
        if paid.people < 10:
            assert row[1:] == (None,) * 6
            continue
        assert row[1:4] == (paid.people, paid.people_with_percentage, paid.full_time_equivalents)
        share = paid.increased / paid.people_with_percentage
        assert row[4:] == pytest.approx(
            (paid.median_difference, paid.median_percentage, share), abs=1e-6
        )
    flagged = ask_warehouse(
        school,
        "select unnest(implausible) as name, count(*) from raw.survey_responses group by name",
    )
    assert dict(flagged) == sum(
        (Counter(paid.implausible) for paid in truth.income.values()), Counter()
    )


def test_coming_back_and_staying_away_are_those_that_the_demo_holds(
    school: School, truth: Truth
) -> None:
    retention, absenteeism = truth.week_4_retention, truth.absenteeism
    assert school.query(
        "select cohort_sizes, retained from retention.agg_retention_overall "
        "where definition = 'learning_weekly' and interval_index = 4"
    ) == [(retention.learners, retention.retained)]
    assert school.query(
        "select sum(planned)::bigint, sum(missed)::bigint, sum(cancelled)::bigint "
        "from retention.agg_absenteeism"
    ) == [(absenteeism.planned, absenteeism.missed, absenteeism.cancelled)]


def test_assets_carry_rows_columns_and_where_columns_come_from(
    school: School, instance: dg.DagsterInstance
) -> None:
    mart = metadata(instance, "core", "dim_learners")
    (rows,) = school.query("select count(*) from core.dim_learners")[0]

    assert mart["dagster/row_count"] == rows
    columns = mart["dagster/column_schema"]
    assert isinstance(columns, dg.TableSchema)
    assert {column.name: column.type for column in columns.columns}["signup_date"] == "DATE"
    lineage = mart["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["learner_key"]
    raw = metadata(instance, "raw", "events")
    assert isinstance(raw["dagster/row_count"], int)
    assert raw["dagster/row_count"] > 1_000


def test_every_dbt_test_is_told_as_a_check_of_this_run(instance: dg.DagsterInstance) -> None:
    (run,) = instance.get_runs(limit=1)
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in instance.all_logs(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        if entry.dagster_event is not None
    ]

    assert len(evaluations) > 100
    failed = [check for check in evaluations if not check.passed]
    assert {check.severity for check in failed} <= {dg.AssetCheckSeverity.WARN}


def test_the_warehouse_is_built_up_to_the_last_load(school: School, output: str) -> None:
    assert output
    assert ask_warehouse(school, "select count(*) from raw.touched_days") == [(0,)]
    builds = ask_warehouse(school, "select run_id, load_number from raw.builds")
    assert builds == ask_warehouse(school, "from raw.run_stamp")


def test_comments_lie_masked_in_the_restricted_file_alone(school: School, truth: Truth) -> None:
    path = restricted_file(school.settings)
    with duckdb.connect(str(path), read_only=True) as reader:
        written = dict(
            reader.execute("select survey, count(*) from nps.nps_comments group by all").fetchall()
        )
        masks = reader.execute(
            "select distinct unnest(regexp_extract_all(comment, '\\[[a-z-]+\\]')) "
            "from nps.nps_comments"
        ).fetchall()
        themes = reader.execute("select distinct unnest(themes) from nps.nps_comments").fetchall()

    assert written == {
        survey: figures.comments for survey, figures in truth.nps.items() if figures.comments
    }
    assert {mask for (mask,) in masks} == {"[e-mail]", "[link]", "[phone]", "[number]"}
    assert len(themes) >= 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    columns = "select distinct column_name from duckdb_columns() where not internal"
    assert "comment" not in {name for (name,) in school.query(columns)}


def test_what_comments_told_about_people_is_in_no_table_and_no_file(
    school: School, output: str
) -> None:
    assert output
    canaries = ("demo.reader@", "demo-reader.example", "99 00 12 34", "12 34 56 78", "123456789")
    landed = "".join(
        path.read_text() for path in (school.settings.landing / "satismeter").glob("*.json")
    )
    assert all(canary in landed for canary in canaries if canary != "99 00 12 34")
    for path in (
        school.settings.warehouse,
        school.published,
        restricted_file(school.settings),
    ):
        assert _cells_with(path, canaries) == []
    # Dictionaries of numbers hold "/0123456789:": bytes that count up, and nobody's order.
    text = "|".join(map(re.escape, canaries)).replace("123456789", "(?<!0)123456789(?!:)").encode()
    told = [
        path
        for folder in ("warehouse", "published", "state", "dagster")
        for path in (school.data / folder).rglob("*")
        if path.is_file() and re.search(text, path.read_bytes())
    ]
    assert told == []


def _cells_with(path: Path, canaries: tuple[str, ...]) -> list[str]:
    """The columns of a database that hold one of the texts, also inside of lists and maps."""
    pattern = "|".join(canary.replace(".", "[.]") for canary in canaries)
    with duckdb.connect(str(path), read_only=True) as reader:
        columns = reader.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where not internal "
            "and database_name = current_database() and data_type like '%VARCHAR%'"
        ).fetchall()
        assert columns
        return [
            f"{schema}.{table}.{column}"
            for schema, table, column in columns
            if reader.execute(
                f'select count(*) from "{schema}"."{table}" '
                f'where regexp_matches("{column}"::varchar, $1)',
                [pattern],
            ).fetchall()
            != [(0,)]
        ]


def test_the_page_of_nps_shows_a_plot(instance: dg.DagsterInstance) -> None:
    page = metadata(instance, "nps", "agg_nps")
    assert str(page["NPS by month, with its 95 % interval"]).startswith("![")


def test_tickets_ratings_and_calls_are_those_that_the_demo_holds(
    school: School, truth: Truth
) -> None:
    support = truth.support
    assert by_name(school, "select is_deleted, count(*) from support.fct_tickets group by all") == {
        False: support.not_deleted,
        True: support.deleted,
    }
    assert support.tickets == support.not_deleted + support.deleted
    # Deleted tickets keep their rating here; service figures leave them out.
    found = by_name(
        school,
        "select coalesce(csat, 'offered'), count(*) from support.fct_tickets "
        "where was_asked_to_rate group by all",
    )
    assert found == support.ratings
    abandoned = sum(
        number for status, number in support.calls.items() if status.startswith("abandoned")
    )
    assert school.query(
        "select sum(created), sum(calls_answered), sum(calls_abandoned) "
        "from support.agg_support_daily"
    ) == [(support.not_deleted, support.calls["completed"], abandoned)]


def test_the_help_desk_has_the_users_and_updates_that_the_demo_holds(
    school: School, truth: Truth
) -> None:
    support = truth.support
    assert ask_warehouse(
        school, "select count(*), count(*) filter (where is_agent) from staging.stg_zendesk__users"
    ) == [(support.users, support.agents)]
    assert ask_warehouse(
        school, "select count(distinct audit_id) from staging.stg_zendesk__ticket_events"
    ) == [(support.ticket_events,)]


def test_promises_of_support_are_kept_and_broken_as_the_demo_made_them(
    school: School, truth: Truth
) -> None:
    found = {
        f"{target} {result}": number
        for target, *numbers in school.query(
            "select target, sum(met), sum(breached), sum(running) from support.agg_sla group by all"
        )
        for result, number in zip(("met", "breached", "running"), numbers, strict=True)
        if number
    }
    assert found == truth.support.promises
    # The demo's clocks and the models' know nothing of each other: they agree on who was late.
    told = ask_warehouse(
        school,
        """
        select result, first_reply_business_seconds > target_seconds, count(*) > 0
        from intermediate.int_support__sla_targets
        join support.fct_tickets using (ticket_id)
        where target = 'first_reply' and first_reply_at is not null
        group by all
        """,
    )
    assert sorted(told) == [("breached", True, True), ("met", False, True)]
    tickets = school.query(
        "select count(*), bool_or(is_one_touch), count(first_reply_business_seconds) > 0, "
        "count(organization_id) > 0, count(language) = count(*) from support.fct_tickets"
    )
    assert tickets == [(truth.support.tickets, True, True, True, True)]


def test_a_second_run_does_no_work_twice_and_says_so(school: School, output: str) -> None:
    assert output
    before = current_publication(school.settings)
    files = sorted(Path(school.data / "dagster").rglob("*.db"))

    again = school.run()

    assert again.returncode == 0, again.stderr
    assert "Nothing new" in again.stdout
    assert "Career outcomes" in again.stdout
    assert "Loaded the exports" not in again.stdout
    assert current_publication(school.settings) == before
    assert sorted(Path(school.data / "dagster").rglob("*.db")) == files
