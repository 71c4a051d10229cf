"""The demo looks like life: whoever builds a chart on it meets what real exports would show."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import timedelta
from statistics import median
from typing import Any

import pytest

from tests.demo.exports import (
    Demo,
    instant,
    is_robot,
    newest,
    paris_day,
    plan_changes,
    read_amplitude,
    read_csv,
    read_pages,
)


@pytest.fixture(scope="module")
def rows(demo: Demo) -> list[dict[str, Any]]:
    """All readable rows, repeats included."""
    lines = [line for found in read_amplitude(demo.landing).events.values() for line in found]
    read = [json.loads(line) for line in lines if line.endswith("}")]
    return [row for row in read if isinstance(row["event_properties"], dict)]


def test_weeks_have_a_rhythm(rows: list[dict[str, Any]]) -> None:
    by_weekday = Counter(
        paris_day(row).weekday() for row in rows if row["event_type"] == "lesson_completed"
    )
    assert by_weekday[5] < 0.85 * sum(by_weekday[day] for day in range(3)) / 3


def test_nights_are_quiet(rows: list[dict[str, Any]]) -> None:
    by_hour = Counter(instant(row["event_time"]).hour for row in rows)
    assert sum(by_hour[hour] for hour in range(1, 5)) < 0.02 * len(rows)


def test_the_school_grows(demo: Demo) -> None:
    months = list(demo.truth.signups.by_month.values())
    half = len(months) // 2
    assert sum(months[-half:]) > 1.2 * sum(months[:half])


def test_there_are_several_languages_channels_and_plans(
    demo: Demo, rows: list[dict[str, Any]]
) -> None:
    users = [row["user_properties"] for row in rows]
    assert len({user["initial_channel"] for user in users if "initial_channel" in user}) == 7
    assert {user["plan"] for user in users if "plan" in user} == {"free", "spark", "degree"}
    assert len(demo.truth.signups.by_language) >= 5
    assert len({row["platform"] for row in rows}) == 4


def test_visitors_sign_in_later_on_the_same_device(rows: list[dict[str, Any]]) -> None:
    first: dict[str, str | None] = {}
    later: set[str] = set()
    for row in sorted(rows, key=lambda row: row["event_time"]):
        user = row["user_id"]
        if first.setdefault(row["device_id"], user) is None and user is not None:
            later.add(row["device_id"])
    assert len(later) > 20


def test_some_visits_are_tied_to_an_account_by_a_merge_only(
    demo: Demo, rows: list[dict[str, Any]]
) -> None:
    signed_in_devices = {row["device_id"] for row in rows if row["user_id"] is not None}
    known = {row["amplitude_id"] for row in rows if row["user_id"] is not None}
    absorbed = {
        merge["amplitude_id"]: merge["merged_amplitude_id"]
        for lines in read_amplitude(demo.landing).merges.values()
        for merge in map(json.loads, lines)
    }
    only_merged = {
        row["amplitude_id"]
        for row in rows
        if row["device_id"] not in signed_in_devices and row["amplitude_id"] in absorbed
    }
    assert any(absorbed[one] in known for one in only_merged)
    # In two steps, too.
    assert any(
        absorbed[one] in absorbed and absorbed[absorbed[one]] in known for one in only_merged
    )


def test_a_merge_goes_round_in_a_circle(demo: Demo) -> None:
    merges = {
        (merge["amplitude_id"], merge["merged_amplitude_id"])
        for lines in read_amplitude(demo.landing).merges.values()
        for merge in map(json.loads, lines)
    }
    assert any((other, one) in merges for one, other in merges)


def test_people_have_two_devices_and_devices_two_people(rows: list[dict[str, Any]]) -> None:
    devices, users = defaultdict(set), defaultdict(set)
    for row in rows:
        if row["user_id"] is not None and row["platform"] is not None:
            devices[row["user_id"]].add(row["device_id"])
            users[row["device_id"]].add(row["user_id"])
    assert sum(len(found) > 1 for found in devices.values()) > 10
    assert max(map(len, users.values())) == 2


def test_events_arrive_days_late(rows: list[dict[str, Any]]) -> None:
    delays = [instant(row["server_upload_time"]) - instant(row["event_time"]) for row in rows]
    assert sum(delay > timedelta(days=2) for delay in delays) > 20
    assert max(delays) > timedelta(days=6)


def test_an_insert_id_comes_again_on_another_device_and_after_a_week(
    rows: list[dict[str, Any]],
) -> None:
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_id[row["$insert_id"]].append(row)
    pairs = [found for found in by_id.values() if len({row["uuid"] for row in found}) > 1]
    assert any(len({row["device_id"] for row in found}) > 1 for found in pairs)
    spans = []
    for found in pairs:
        if len({row["device_id"] for row in found}) == 1:
            uploads = sorted(instant(row["server_upload_time"]) for row in found)
            spans.append(uploads[-1] - uploads[0])
    assert any(span > timedelta(days=8) for span in spans)
    assert any(span < timedelta(days=7) for span in spans)


def test_bots_and_test_accounts_do_what_learners_do(demo: Demo, rows: list[dict[str, Any]]) -> None:
    staff = [row for row in rows if row["user_properties"].get("account_type") == "test"]
    assert {"signed_up", "plan_started", "outcome_reported"} <= {row["event_type"] for row in staff}
    bots = [row for row in rows if row["user_properties"].get("is_bot") is True]
    assert len({row["user_id"] for row in bots}) == demo.truth.people.bots


def test_most_people_do_not_answer_surveys(demo: Demo) -> None:
    for path in (demo.landing / "surveys").glob("alumni_survey_*.csv"):
        statuses = Counter(row["Status"] for row in read_csv(path))
        assert 0 < statuses["bounced"] < statuses["answered"] < statuses["delivered"]


def test_paying_customers_are_answered_first(demo: Demo, rows: list[dict[str, Any]]) -> None:
    users = newest(read_pages(demo.landing, "zendesk/users", "users"))
    events = read_pages(demo.landing, "zendesk/ticket_events", "ticket_events")
    changes = plan_changes([row for row in rows if not is_robot(row)])
    created: dict[int, dict[str, Any]] = {}
    waited: dict[bool, dict[int, float]] = {True: {}, False: {}}
    for event in sorted(events, key=lambda event: event["created_at"]):
        first = created.setdefault(event["ticket_id"], event)
        replies = [
            child
            for child in event["child_events"]
            if child["event_type"] == "Comment" and child["public"]
        ]
        if replies and users[replies[0]["author_id"]]["role"] != "end-user":
            user = users[first["updater_id"]]["external_id"]
            day = instant(first["created_at"][:19]).date()
            past = [change for change in changes.get(user, []) if change[0] <= day]
            pays = bool(past) and past[-1][1] != "plan_ended"
            waited[pays].setdefault(
                event["ticket_id"], event["timestamp"] - float(first["timestamp"])
            )
    assert 3 * median(waited[True].values()) < median(waited[False].values())
    assert len(waited[True]) + len(waited[False]) < len(created)


def test_one_outcome_is_reported_by_several_sources(demo: Demo) -> None:
    assert demo.truth.reports.by_decision["duplicate_report"] > 5
    assert set(demo.truth.reports.by_source) == {"contract", "product", "coach", "survey"}
    assert set(demo.truth.outcomes.by_family) == {"job", "business", "advancement"}
    assert len(demo.truth.outcomes.by_segment) >= 2
