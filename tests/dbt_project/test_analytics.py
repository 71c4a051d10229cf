"""The analytics macros against plain loops over one random school, and against wrong arguments."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.harness import School, key, reporting_day

FIRST = datetime(2023, 12, 20)
AS_OF = date(2024, 4, 3)  # a Wednesday
MODES = ("on", "on_or_after")
COHORTS = ("first_time", "recurring")
DAYS = (AS_OF - FIRST.date()).days

Activity = Mapping[UUID, set[date]]


def week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def sunday_week(day: date) -> date:
    return day - timedelta(days=day.isoweekday() % 7)


def month(day: date) -> date:
    return day.replace(day=1)


def same(day: date) -> date:
    return day


def following(start: date, period: Callable[[date], date], count: int) -> date:
    """The start of the period that lies `count` after the one that starts on `start`."""
    for _ in range(count):
        start = period(
            start + timedelta(days=1 if period is same else 31 if period is month else 7)
        )
    return start


@pytest.fixture(scope="module")
def activity() -> Activity:
    """The days on which each learner learned, around for a while and back now and then."""
    chance = random.Random(11)
    days: dict[UUID, set[date]] = defaultdict(set)
    for number in range(1, 120):
        start, length = chance.randrange(DAYS), chance.randrange(1, 90)
        for _ in range(chance.randrange(1, 25)):
            day = start + chance.randrange(length)
            if day < DAYS + 3:  # some days from the as-of day on, which must not count
                days[key(str(number))].add(FIRST.date() + timedelta(days=day))
    return days


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, activity: Activity) -> School:
    school = School(tmp_path_factory.mktemp("analytics"))
    school.exported_at(f"{AS_OF - timedelta(days=1)} 12:00:00")
    school.means(lesson="learning", quiz="learning")
    school.load_events(
        {
            "event_type": event_type,
            "event_at": datetime.combine(day, datetime.min.time()) + timedelta(hours=9),
            "user_key": learner,
        }
        for learner, days in activity.items()
        for day in days
        for event_type in ("lesson", "quiz", "seen")
    )
    school.build_models("+path:models/marts/retention")
    return school


def counted(activity: Activity) -> dict[UUID, set[date]]:
    days = {learner: {day for day in days if day < AS_OF} for learner, days in activity.items()}
    return {learner: days for learner, days in days.items() if days}


def triangle(
    activity: Activity, period: Callable[[date], date], mode: str, cohorts: str
) -> list[tuple[Any, ...]]:
    """Retention, one learner and cell at a time."""
    members: dict[date, set[UUID]] = defaultdict(set)
    active = {learner: {period(day) for day in days} for learner, days in counted(activity).items()}
    for learner, starts in active.items():
        for start in {min(starts)} if cohorts == "first_time" else starts:
            members[start].add(learner)
    rows = []
    for cohort, learners in members.items():
        index, start = 0, cohort
        while start < AS_OF:
            end = following(start, period, 1)
            if mode == "on":
                back = {learner for learner in learners if start in active[learner]}
            else:
                back = {learner for learner in learners if max(active[learner]) >= start}
            rows.append((cohort, index, len(learners), len(back), end <= AS_OF))
            index, start = index + 1, end
    return sorted(rows)


def test_retention_is_that_of_one_learner_after_the_other(
    school: School, activity: Activity
) -> None:
    periods = [
        ("day", "monday", same),
        ("week", "monday", week),
        ("week", "sunday", sunday_week),
        ("month", "monday", month),
    ]
    queries, expected = [], []
    for (name, week_start, period), mode, cohorts in itertools.product(periods, MODES, COHORTS):
        queries.append(
            "{{ retention(relation=ref('fct_learner_days'), start_event='is_learning', "
            f"period='{name}', mode='{mode}', cohorts='{cohorts}', week_start='{week_start}') }}}}"
        )
        expected.append(triangle(activity, period, mode, cohorts))
    for query, built, rows in zip(queries, school.run_all(queries), expected, strict=True):
        assert sorted(built) == rows, query


def overall(activity: Activity, mode: str, cohorts: str) -> list[tuple[Any, ...]]:
    """Both overall figures by week, from the learners of each complete cohort."""
    expected = []
    rows = [row for row in triangle(activity, week, mode, cohorts) if row[4]]
    active = {learner: {week(day) for day in days} for learner, days in counted(activity).items()}
    for index in sorted({row[1] for row in rows}):
        complete = [row for row in rows if row[1] == index]
        learners, retained = set(), set()
        for cohort, *_ in complete:
            target = following(cohort, week, index)
            for learner, weeks in active.items():
                if cohort not in ({min(weeks)} if cohorts == "first_time" else weeks):
                    continue
                learners.add(learner)
                if target in weeks if mode == "on" else max(weeks) >= target:
                    retained.add(learner)
        sums = [sum(row[column] for row in complete) for column in (2, 3)]
        expected.append((index, len(complete), *sums, len(learners), len(retained)))
    return expected


def test_overall_retention_counts_complete_cohorts_only(school: School, activity: Activity) -> None:
    choices = list(itertools.product(MODES, COHORTS))
    queries = [
        "{{ retention_overall(relation=ref('fct_learner_days'), start_event='is_learning', "
        f"mode='{mode}', cohorts='{cohorts}') }}}}"
        for mode, cohorts in choices
    ]
    for (mode, cohorts), built in zip(choices, school.run_all(queries), strict=True):
        assert sorted(built) == overall(activity, mode, cohorts), (mode, cohorts)


def test_retention_from_events_is_that_from_learner_days(school: School) -> None:
    arguments = "start_event=\"event_type = 'lesson'\", period='week'"
    from_days = school.run_sql(
        f"{{{{ retention(relation=ref('fct_learner_days'), {arguments}) }}}}"
    )
    events = "(select user_key as learner_key, event_type, event_at from raw.events)"
    from_events = school.run_sql(
        f'{{{{ retention(relation="{events} as events", moment="event_at", {arguments}) }}}}'
    )
    assert sorted(from_events) == sorted(from_days)
    assert len(from_days) > 50


@pytest.mark.parametrize(("name", "period"), [("day", same), ("week", week), ("month", month)])
def test_lifecycle_is_that_of_one_learner_after_the_other(
    school: School, activity: Activity, name: str, period: Callable[[date], date]
) -> None:
    active = {learner: {period(day) for day in days} for learner, days in counted(activity).items()}
    expected = []
    start = min(min(periods) for periods in active.values())
    before: set[UUID] = set()
    seen: set[UUID] = set()
    while start < AS_OF:
        end = following(start, period, 1)
        now = {learner for learner, periods in active.items() if start in periods}
        expected.append(
            (
                start,
                len(now - seen),
                len(now & before),
                len((now & seen) - before),
                len(before - now),
                len(now),
                end <= AS_OF,
            )
        )
        before, seen, start = now, seen | now, end
    arguments = f"relation=ref('fct_learner_days'), active_event='is_learning', period='{name}'"
    assert sorted(school.run_sql(f"{{{{ lifecycle({arguments}) }}}}")) == expected


@pytest.mark.parametrize(
    ("interval", "period", "most"),
    [("day", "week", lambda _: 7), ("day", "month", lambda start: _days_in(start))],
)
def test_stickiness_is_that_of_one_learner_after_the_other(
    school: School,
    activity: Activity,
    interval: str,
    period: str,
    most: Callable[[date], int],
) -> None:
    begin = {"week": week, "month": month}[period]
    counts = Counter(
        (begin(day), learner) for learner, days in counted(activity).items() for day in days
    )
    start = min(start for start, _ in counts)
    expected = []
    while start < AS_OF:
        end = following(start, begin, 1)
        numbers = [days for (begun, _), days in counts.items() if begun == start]
        expected += [
            (
                start,
                number,
                sum(days == number for days in numbers),
                sum(days >= number for days in numbers),
                end <= AS_OF,
            )
            for number in range(1, most(start) + 1)
        ]
        start = end
    arguments = (
        f"relation=ref('fct_learner_days'), active_event='is_learning', interval='{interval}', "
        f"period='{period}'"
    )
    assert sorted(school.run_sql(f"{{{{ stickiness({arguments}) }}}}")) == expected


def _days_in(start: date) -> int:
    return (following(start, month, 1) - start).days


def test_weeks_of_a_month_count_in_each_month_they_were_used_in(school: School) -> None:
    # Friday 29 March and Monday 1 April lie in two weeks, Monday 1 and Tuesday 2 April in one.
    days = "(values {}) as days (learner_key, activity_date)".format(
        ", ".join(f"(1, date '{day}')" for day in ("2024-03-29", "2024-04-01", "2024-04-02"))
    )
    arguments = f'relation="{days}", active_event="true", interval="week", period="month"'
    built = sorted(school.run_sql(f"{{{{ stickiness({arguments}) }}}}"))
    exactly = {(row[0], row[1]): row[2] for row in built}
    assert exactly[date(2024, 3, 1), 1] == 1
    assert exactly[date(2024, 4, 1), 1] == 1
    assert [number for start, number in exactly if start == date(2024, 3, 1)] == [1, 2, 3, 4, 5]


def test_the_day_of_an_event_is_that_of_the_zone() -> None:
    assert reporting_day("2024-03-30 23:30:00") == date(2024, 3, 31)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            "retention(relation='x', start_event='true', period='year')",
            "retention: period is 'year'; it takes day, week, month",
        ),
        (
            "retention(relation='x', start_event='true', mode='within')",
            "retention: mode is 'within'; it takes on, on_or_after",
        ),
        (
            "retention(relation='x', start_event='true', cohorts='weekly')",
            "retention: cohorts is 'weekly'; it takes first_time, recurring",
        ),
        (
            "retention(relation='x', start_event='true', intervals=-1)",
            "retention: intervals is '-1'; it takes a whole number, 0 or more",
        ),
        (
            "retention(relation='x', start_event='')",
            "retention: start_event is ''; it takes an SQL condition",
        ),
        (
            "retention(relation='x', start_event='true', week_start='tuesday')",
            "retention: week_start is 'tuesday'; it takes monday, sunday",
        ),
        (
            "retention(relation='x', start_event='true', moment='created_at')",
            "retention: moment is 'created_at'; it takes activity_date, event_at",
        ),
        (
            "retention_overall(relation='x', start_event='true', clock='lunar')",
            "retention_overall: clock is 'lunar'; it takes calendar",
        ),
        (
            "lifecycle(relation='x', active_event='true', period='hour')",
            "lifecycle: period is 'hour'; it takes day, week, month",
        ),
        (
            "stickiness(relation='x', active_event='true', interval='week', period='week')",
            "stickiness: interval is 'week'; it takes day",
        ),
        (
            "survival('x', 'segment', 'months', 'ended', min_at_risk=0)",
            "survival: min_at_risk is '0'; it takes a whole number, 1 or more",
        ),
        (
            "attribution('x', 'y', model='best', lookback_days=30)",
            "attribution: model is 'best'; it takes first, last, linear",
        ),
        (
            "funnel('x', [['a', 'true']], window_seconds=60)",
            "it takes a list of two or more [name, condition]",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], window_seconds=0)",
            "funnel: window_seconds is '0'; it takes a whole number, 1 or more",
        ),
    ],
)
def test_a_wrong_argument_stops_the_compilation_with_a_sentence(
    school: School, call: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError, match="Error parsing inline query"):
        school.run_sql(f"{{{{ {call} }}}}")
    assert sentence in capsys.readouterr().out
