"""Incremental builds give, row for row, what a full refresh gives."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.dbt_project.harness import School, key

FOUNDATION = (
    "+path:models/marts/core",
    "+path:models/marts/retention",
    "+path:models/marts/acquisition",
    "+path:models/marts/ops",
    "+int_learner_groups",
)
INCREMENTAL = "intermediate.int_learner_days_by_id"


def random_events(chance: random.Random, count: int, first_day: datetime, days: int) -> list[Any]:
    """Events of every kind, at all hours, of a few people on shared devices."""
    plans = [None, "free", "SPARK", "degree"]
    return [
        {
            "event_type": chance.choice(["lesson", "joined", "paid", "left", "seen", "enrolled"]),
            "event_at": first_day + timedelta(minutes=chance.randrange(days * 24 * 60)),
            "user_key": chance.choice([None, *map(key, ("a1", "a2", "a3", "a4"))]),
            "device_key": chance.choice([None, *map(key, ("d1", "d2", "d3"))]),
            "amplitude_key": chance.choice([None, *map(key, ("1", "2", "3", "4"))]),
            "email_key": chance.choice([None, None, key("e1"), key("e2")]),
            "country": chance.choice([None, "France", "Chad"]),
            "course_id": chance.choice([None, "sql", "python"]),
            "plan": chance.choice(plans),
            "spoken_language": chance.choice([None, "fr", "en"]),
            "channel": chance.choice([None, "search", "partner"]),
            "gender": chance.choice([None, "woman", "man"]),
            "region": chance.choice([None, None, "North"]),
            "is_excluded": chance.random() < 0.05,
            "duplicate_reason": chance.choice([None] * 9 + ["same_uuid"]),
        }
        for _ in range(count)
    ]


def a_school(folder: Path) -> School:
    school = School(folder)
    school.means(
        lesson="learning",
        joined=["signup", "visit"],
        paid="plan_started",
        left="plan_ended",
        enrolled="course_enrolled",
        seen="visit",
    )
    return school


def snapshot(school: School) -> dict[str, list[tuple[Any, ...]]]:
    """Every table that dbt built, in a fixed order of rows."""
    names = school.query(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name != 'raw' order by all"
    )
    return {name: school.table(name) for (name,) in names}


def test_incremental_builds_give_the_same_as_a_full_refresh(tmp_path: Path) -> None:
    chance = random.Random(1)
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    start = datetime(2024, 3, 1)
    school.load_events(random_events(chance, 400, start, 40))
    school.build_models(*FOUNDATION)
    school.forget_touched_days()

    # Late events, a day that loses all its events, a row handed over to its repeat, a new merge.
    school.load_events(random_events(chance, 20, start, 40))
    school.execute("delete from raw.events where cast(event_at as date) = date '2024-03-10'")
    school.execute(
        "update raw.events set duplicate_reason = null where cast(event_at as date) = '2024-03-12'"
    )
    school.touch([date(2024, 3, 10), date(2024, 3, 11), date(2024, 3, 12), date(2024, 3, 13)])
    school.insert(
        "amplitude_merges",
        [
            {
                "amplitude_key": key("1"),
                "merged_amplitude_key": key("2"),
                "merged_at": datetime(2024, 4, 1),
            }
        ],
    )
    school.build_models(*FOUNDATION)
    incremental = snapshot(school)

    school.build_models(*FOUNDATION, full_refresh=True)
    assert snapshot(school) == incremental
    assert school.query(
        f"select count(*) from {INCREMENTAL} where activity_date = '2024-03-10'"
    ) == (
        # 10 March begins at 23:00 UTC of the 9th in Paris, and that hour was not deleted.
        school.query(
            "select count(distinct (user_key, device_key, amplitude_key, event_type, is_excluded)) "
            "from raw.events where duplicate_reason is null "
            "and event_at >= '2024-03-09 23:00' and event_at < '2024-03-10 23:00'"
        )
    )


def test_learner_days_follow_merges_without_a_touched_day(tmp_path: Path) -> None:
    chance = random.Random(7)
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    school.load_events(random_events(chance, 400, datetime(2024, 3, 1), 40))
    models = ("+fct_learner_days", "+int_touches")

    def built(full_refresh: bool = False) -> list[list[tuple[Any, ...]]]:
        school.build(*models, full_refresh=full_refresh, resource_types=("model", "test"))
        school.forget_touched_days()
        return [
            school.table(f"intermediate.{name}") for name in ("int_learner_days", "int_touches")
        ]

    apart = built()
    for absorbed, kept in (("1", "2"), ("2", "3")):
        keys = {"amplitude_key": key(absorbed), "merged_amplitude_key": key(kept)}
        school.insert("amplitude_merges", [keys | {"merged_at": datetime(2024, 4, 1)}])
    merged = built()

    assert all(before != after for before, after in zip(apart, merged, strict=True))
    assert built(full_refresh=True) == merged
    school.execute("delete from raw.amplitude_merges")
    assert built() == apart


def test_a_row_that_stands_twice_is_found_whether_or_not_its_day_was_touched(
    tmp_path: Path,
) -> None:
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    lesson = {"event_type": "lesson", "user_key": key("a1")}
    school.load_events([lesson | {"event_at": datetime(2024, 3, day)} for day in (1, 2)])
    models = ("+fct_learner_days", "+events_by_day")
    school.build_models(*models)
    school.forget_touched_days()
    school.touch([date(2024, 3, 2)])
    learner_days = "intermediate.int_learner_days"
    whole = "fct_learner_days_has_every_counted_event_once"
    by_key = "is_key_int_learner_days_learner_key__activity_date__event_type__anonymous_events_0"

    def found(day: int, full_refresh: bool = False) -> set[str]:
        of_day = f"from {learner_days} where activity_date = date '2024-03-0{day}'"
        school.execute(f"insert into {learner_days} select * {of_day}")
        build = school.try_build(
            "int_learner_days", "fct_learner_days", "events_by_day",
            full_refresh=full_refresh, resource_types=("test",), indirect_selection="eager",
        )  # fmt: skip
        school.execute(f"delete from {learner_days} where rowid in (select max(rowid) {of_day})")
        # Marts that were not built have tests of these tables, too.
        return {node.name for node in build.bad_nodes} & {by_key, whole}

    assert found(day=2) == {by_key}  # and what comes after it is skipped
    # Nobody wrote that row, so that its key is not looked at; the total of all rows tells.
    assert found(day=1) == {whole}
    assert found(day=1, full_refresh=True) == {by_key}


def test_days_that_are_not_touched_are_not_read_again(tmp_path: Path) -> None:
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    lesson = {"event_type": "lesson", "user_key": key("a1")}
    school.load_events([lesson | {"event_at": datetime(2024, 3, day)} for day in (1, 2)])
    school.build_models("+int_learner_days_by_id")
    school.forget_touched_days()

    # Not what loading does: both days get an event, and only one is said to be touched.
    school.insert("events", [lesson | {"event_at": datetime(2024, 3, day, 12)} for day in (1, 2)])
    school.touch([date(2024, 3, 2)])
    school.build_models("int_learner_days_by_id")

    assert school.table(INCREMENTAL, "activity_date, events") == [
        (date(2024, 3, 1), 1),
        (date(2024, 3, 2), 2),
    ]


def test_many_scattered_days_are_found_like_few(tmp_path: Path) -> None:
    school = a_school(tmp_path)
    school.exported_at("2025-01-01 00:00:00")
    start = datetime(2024, 1, 1, 22, 30)
    nights = [start + timedelta(days=2 * number) for number in range(130)]
    lesson = {"event_type": "lesson", "user_key": key("a1")}
    models = ("+int_learner_days_by_id", "+int_milestones_by_id")
    school.load_events([lesson | {"event_at": moment} for moment in nights])
    school.build_models(*models)
    school.forget_touched_days()

    # 23:30 UTC: with 22:30 on one day in summer, on two days in winter.
    later = [moment + timedelta(hours=1) for moment in nights]
    school.load_events([lesson | {"event_at": moment} for moment in later])
    assert school.query("select count(distinct activity_date) from raw.touched_days") == [(130,)]
    school.build_models(*models)
    incremental = snapshot(school)

    school.build_models(*models, full_refresh=True)
    assert snapshot(school) == incremental
    assert school.query(f"select sum(events) from {INCREMENTAL}") == [(260,)]


def test_a_new_meaning_reads_all_days_again(tmp_path: Path) -> None:
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    school.load_events(
        [
            {"event_type": event_type, "event_at": datetime(2024, 3, day), "user_key": key("a1")}
            for day, event_type in ((1, "joined"), (2, "welcomed"))
        ]
    )
    school.build_models("+int_milestones_by_id")
    school.forget_touched_days()
    milestones = "intermediate.int_milestones_by_id"
    assert school.table(milestones, "event_type") == [("joined",)]

    school.execute("delete from raw.tracking_plan where event_type = 'joined'")
    school.means(welcomed="signup")
    school.build_models("+int_milestones_by_id")

    assert school.table(milestones, "event_type") == [("welcomed",)]


def test_a_first_meaning_finds_events_of_long_ago(tmp_path: Path) -> None:
    school = School(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    school.load_events([{"event_type": "joined", "event_at": datetime(2024, 3, 1)}])
    school.build_models("+int_milestones_by_id")
    school.forget_touched_days()
    assert school.table("intermediate.int_milestones_by_id") == []

    school.means(joined="signup")
    school.build_models("+int_milestones_by_id")

    assert school.table("intermediate.int_milestones_by_id", "event_type") == [("joined",)]


def test_another_reporting_zone_reads_all_days_again(tmp_path: Path) -> None:
    school = a_school(tmp_path)
    school.exported_at("2024-04-20 00:00:00")
    lesson = {"event_type": "lesson", "user_key": key("a1")}
    school.load_events([lesson | {"event_at": datetime(2024, 3, 1, 23, 30)}])
    school.build_models("+int_learner_days_by_id")
    school.forget_touched_days()
    assert school.table(INCREMENTAL, "activity_date") == [(date(2024, 3, 2),)]

    school.build_models("+int_learner_days_by_id", reporting_timezone="America/New_York")

    assert school.table(INCREMENTAL, "activity_date") == [(date(2024, 3, 1),)]
