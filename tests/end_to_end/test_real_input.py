"""The job on real exports of two learning communities and three surveys, as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from lifelines import KaplanMeierFitter

from orchestration.settings import REPOSITORY
from tests.dbt_project.harness import School

SHARED = Path(os.environ.get("NORTHSTAR_SHARED", REPOSITORY.parent / "shared"))
LANDING = SHARED / "data" / "landing"

pytestmark = pytest.mark.skipif(
    not LANDING.is_dir(), reason=f"the real exports are not there: {LANDING}"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after one run."""
    folder = tmp_path_factory.mktemp("real")
    subprocess.run(
        [sys.executable, "-m", "orchestration", "run"],
        cwd=REPOSITORY,
        env=os.environ
        | {
            "NORTHSTAR_DATA_DIR": str(folder),
            "NORTHSTAR_LANDING_DIR": str(LANDING),
            "NORTHSTAR_SECRET": "the secret of the tests",
        },
        check=True,
        timeout=900,
    )
    return folder


@pytest.fixture
def published(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(data / "published" / "northstar.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture
def warehouse(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    file = data / "warehouse" / "warehouse.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        yield connection


def test_every_file_and_row_is_in_the_ledger(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute(
        """
        select regexp_extract(path, '(gitter|oulad|surveys)', 1) as folder, count(*),
            sum(rows_in)::bigint, sum(rows_loaded)::bigint, sum(rows_duplicate)::bigint,
            sum(rows_quarantined)::bigint, sum(rows_not_in_plan)::bigint
        from ops.loaded_files group by folder order by folder
        """
    ).fetchall()
    assert rows == [
        ("gitter", 12_425, 211_983, 211_038, 945, 0, 0),
        ("oulad", 747, 351_794, 351_794, 0, 0, 0),
        ("surveys", 3, 17_096, 17_096, 0, 0, 0),
    ]


def test_repeats_of_a_message_are_retries(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert warehouse.execute(
        "select duplicate_reason, count(*) from raw.events where duplicate_reason is not null "
        "group by all"
    ).fetchall() == [("client_retry", 945)]


def test_people_days_and_events_are_those_of_the_publishers(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    rows = warehouse.execute(
        """
        select event_type, count(*), count(distinct user_key),
            count(distinct user_key) filter (is_excluded), sum(quantity)::bigint
        from raw.events where duplicate_reason is null group by event_type order by event_type
        """
    ).fetchall()
    assert rows == [
        ("course_completed", 531, 531, 0, None),
        ("course_failed", 91, 91, 0, None),
        ("course_registered", 748, 712, 0, None),
        ("course_unregistered", 126, 116, 0, None),
        ("message_sent", 211_038, 7_503, 1, None),
        ("resource_viewed", 350_298, 702, 0, 1_246_652),
    ]
    days = warehouse.execute(
        """
        select app, count(distinct event_at::date), min(event_at)::date::varchar,
            max(event_at)::date::varchar
        from raw.events group by app order by app
        """
    ).fetchall()
    assert days == [
        ("150001", 668, "2014-11-30", "2016-12-24"),
        ("150002", 747, "2013-03-17", "2015-06-27"),
    ]


def test_learners_are_everybody_but_the_bot(published: duckdb.DuckDBPyConnection) -> None:
    assert published.execute("select count(*) from core.dim_learners").fetchall() == [(8_214,)]
    assert published.execute(
        "select event_type, sum(events)::bigint, count(distinct learner_key) "
        "from core.fct_learner_days where event_type in ('resource_viewed', 'course_registered') "
        "group by event_type order by event_type"
    ).fetchall() == [("course_registered", 748, 712), ("resource_viewed", 350_298, 702)]


def test_surveys_give_their_scores_and_reports(
    published: duckdb.DuckDBPyConnection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert warehouse.execute(
        "select survey, count(*) from raw.survey_responses group by survey order by survey"
    ).fetchall() == [
        ("carpentries_instructor_training_2018", 967),
        ("carpentries_longterm_2017", 476),
        ("freecodecamp_2016", 15_653),
    ]
    repeated = warehouse.execute(
        """
        select count(*), sum(times)::bigint from (
            select count(*) as times from raw.survey_responses
            where survey = 'freecodecamp_2016' and respondent_key is not null
            group by respondent_key having times > 1
        )
        """
    ).fetchall()
    assert repeated == [(374, 829)]
    assert published.execute(
        "select survey, count(*) from nps.fct_nps_responses group by survey order by survey"
    ).fetchall() == [
        ("carpentries_instructor_training_2018", 889),
        ("carpentries_longterm_2017", 402),
    ]
    assert published.execute(
        "select decision, invalid_reason, count(*) from outcomes.fct_outcome_reports group by all"
    ).fetchall() == [("invalid", "no_outcome_date", 371)]


def test_nps_is_that_of_the_files_read_by_hand(published: duckdb.DuckDBPyConnection) -> None:
    assert published.execute(
        """
        select survey, sum(promoters)::bigint, sum(passives)::bigint, sum(detractors)::bigint,
            round(100 * sum(promoters - detractors)::double / sum(respondents), 1)
        from nps.agg_nps where basis = 'all_responses' group by survey order by survey
        """
    ).fetchall() == [
        ("carpentries_instructor_training_2018", 501, 317, 71, 48.4),
        ("carpentries_longterm_2017", 215, 118, 69, 36.3),
    ]
    assert published.execute(
        "select survey, reason, sum(answers)::bigint from nps.agg_nps_rejected "
        "group by all order by all"
    ).fetchall() == [
        ("carpentries_instructor_training_2018", "empty", 78),
        ("carpentries_longterm_2017", "empty", 74),
    ]
    # A date such as 9/8/18 15:29 is in September; a file without dates has its period's month.
    assert published.execute(
        "select survey, count(distinct month), min(month)::varchar, max(month)::varchar "
        "from nps.agg_nps group by survey order by survey"
    ).fetchall() == [
        ("carpentries_instructor_training_2018", 28, "2016-06-01", "2018-09-01"),
        ("carpentries_longterm_2017", 1, "2017-06-01", "2017-06-01"),
    ]
    # Nobody knows how many were asked: no rate, and not 100 %.
    assert published.execute(
        "select distinct delivered, response_rate from nps.agg_nps_response_rates"
    ).fetchall() == [(None, None)]


def test_numbers_that_cannot_be_are_counted_and_in_no_median(
    published: duckdb.DuckDBPyConnection,
) -> None:
    """Salaries up to 10^18, hours such as `one`: kept, flagged, and left out."""
    assert published.execute(
        "select answer, answers, plausible, implausible, median "
        "from outcomes.agg_survey_numbers where survey = 'freecodecamp_2016' order by answer"
    ).fetchall() == [
        ("hours_a_week", 15_004, 14_958, 46, 10.0),
        ("months_programming", 15_066, 15_032, 34, 9.0),
        ("months_since_bootcamp", 633, 631, 2, 6.0),
        ("salary", 343, 312, 31, 60_000.0),
    ]


def test_equity_attributes_are_in_the_warehouse_and_beside_no_published_learner(
    published: duckdb.DuckDBPyConnection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert warehouse.execute(
        "select dimension, group_name, count(*) from intermediate.int_learner_groups "
        "group by all order by all"
    ).fetchall() == [
        ("disability", "N", 674),
        ("disability", "Y", 38),
        ("gender", "F", 299),
        ("gender", "M", 413),
    ]
    assert (
        published.execute(
            "select table_name from duckdb_columns() "
            "where column_name in ('gender', 'disability', 'region', 'prior_education')"
        ).fetchall()
        == []
    )


def test_courses_are_those_of_the_events(published: duckdb.DuckDBPyConnection) -> None:
    assert published.execute(
        "select enrolled, completed, certified, outcomes_12_months from courses.agg_course_success "
        "where course_id = 'AAA'"
    ).fetchall() == [(712, 531, 0, 0)]


def test_weekly_retention_of_the_chat_community(published: duckdb.DuckDBPyConnection) -> None:
    """Counted from the landing files by a script that knows nothing of the marts. The courses' last
    students began in October 2014: who starts to learn from July 2015 on is of the community.
    """
    cohorts = published.execute(
        """
        select cohort::varchar, list(retained::int order by interval_index)
        from retention.agg_retention
        where
            definition = 'learning_weekly' and interval_index <= 8
            and cohort in ('2015-07-06', '2015-07-13', '2016-01-04')
        group by cohort order by cohort
        """
    ).fetchall()
    assert cohorts == [
        ("2015-07-06", [315, 66, 74, 41, 33, 25, 27, 19, 17]),
        ("2015-07-13", [299, 89, 51, 44, 26, 30, 24, 22, 23]),
        ("2016-01-04", [57, 12, 10, 1, 0, 3, 2, 2, 4]),
    ]
    assert published.execute(
        """
        select interval_index, count(*), sum(cohort_size)::int, sum(retained)::int,
            bool_and(is_complete)
        from retention.agg_retention
        where
            definition = 'learning_weekly' and interval_index in (1, 4, 12)
            and cohort >= '2015-07-06'
        group by interval_index order by interval_index
        """
    ).fetchall() == [
        (1, 77, 7_170, 1_432, True),
        (4, 77, 7_170, 522, True),
        (12, 77, 7_170, 173, True),
    ]


_REGISTRATIONS = """
(
    select properties['presentation'] as presentation, learner_key,
        min(activity_date) filter (meaning = 'course_enrolled') as registered_on,
        min(activity_date) filter (meaning = 'course_withdrawn') as withdrawn_on,
        max(max(activity_date) filter (meaning in ('course_completed', 'course_failed')))
            over (partition by properties['presentation']) as course_ended_on
    from intermediate.int_milestones
    where course_id = 'AAA'
    group by presentation, learner_key
) as registrations
"""


def test_registrations_survive_until_withdrawal_as_lifelines_says(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Registered, withdrawn, or censored when the presentation of the course ended."""
    (sql,) = School(tmp_path).compile_all(
        [
            f"""{{{{ survival(
                relation={_REGISTRATIONS!r},
                segment="presentation",
                duration=days_between(
                    "registered_on", "coalesce(withdrawn_on, course_ended_on)"
                ),
                is_ended="withdrawn_on is not null",
                min_at_risk=1,
            ) }}}}"""
        ]
    )
    curves = warehouse.execute(f"select * from ({sql}) order by segment, months").fetchall()
    spells = warehouse.execute(
        "select presentation, coalesce(withdrawn_on, course_ended_on) - registered_on, "
        f"withdrawn_on is not null from {_REGISTRATIONS}"
    ).fetchall()
    for presentation in ("2013J", "2014J"):
        fitted = KaplanMeierFitter().fit(
            [days for name, days, _ in spells if name == presentation],
            [seen for name, _, seen in spells if name == presentation],
        )
        curve = [row[1:] for row in curves if row[0] == presentation]
        lines = fitted.event_table.join(fitted.survival_function_).join(fitted.confidence_interval_)
        by_day = {int(day): line for day, line in lines.iterrows()}
        for day, at_risk, ended, censored, survival, low, high in curve:
            if day not in by_day:
                assert (ended, censored) == (0, 0)
                continue
            line = by_day[day]
            assert (at_risk, ended, censored) == (line.at_risk, line.observed, line.censored)
            assert (survival, low, high) == pytest.approx(tuple(line.iloc[-3:]), abs=1e-9)
    totals = warehouse.execute(
        f"""
        select segment, max(at_risk), sum(ended)::bigint, sum(censored)::bigint,
            round(min(survival), 6), max(survival) filter (months = 100)
        from ({sql}) group by segment order by segment
        """
    ).fetchall()
    # Learners at risk, withdrawn, censored, and the shares left at the end and after 100 days.
    assert totals == [
        ("2013J", 383, 60, 323, 0.81897, 0.9660574413),
        ("2014J", 365, 66, 299, 0.786188, 0.9561643836),
    ]
