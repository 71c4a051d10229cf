"""Zendesk's exports: however they are written, the same rows; whatever they hold, no free text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.loading.batch import UnpackedFile
from orchestration.loading.zendesk import ZENDESK_TABLES, ZendeskReader, _schedule_of
from orchestration.loading.zones import ZONES
from tests.loading.readers import Desk, open_desk

CANARY = "canary"
TIME = "2024-05-01T10:00:00Z"
AT = datetime(2024, 5, 1, 10)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("zendesk")) as desk:
        yield desk


def ticket(number: int, **changes: Any) -> dict[str, Any]:
    """A ticket as the API writes it, shortened; every free text holds the canary."""
    return {
        "url": f"https://school.example/api/v2/tickets/{number}.json",
        "id": number,
        "external_id": None,
        "via": {"channel": "web", "source": {"from": {"address": CANARY}, "to": {}, "rel": None}},
        "created_at": TIME,
        "updated_at": "2024-05-02T12:30:00Z",
        "type": "question",
        "subject": f"{CANARY} subject",
        "raw_subject": f"{CANARY} subject",
        "description": f'{CANARY}, "tickets": [{{"id": 1}}, {{"id": 2}}]\nnext line',
        "priority": "high",
        "status": "open",
        "recipient": f"{CANARY}@example.org",
        "requester_id": 501,
        "submitter_id": 501,
        "assignee_id": None,
        "tags": [CANARY],
        "custom_fields": [{"id": 1, "value": CANARY}, {"id": 2, "value": None}],
        "satisfaction_rating": {"score": "good", "comment": CANARY},
    } | changes


def audit(number: int | str, *events: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": 7,
        "created_at": TIME,
        "author_id": 501,
        "metadata": {"system": {"ip_address": CANARY}},
        "events": list(events),
    } | changes


def page(key: str, *rows: Any, **more: Any) -> str:
    return json.dumps({key: list(rows), "next_page": None, "count": len(rows)} | more)


def lines(*rows: Any) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def picked(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


# -- what is loaded --------------------------------------------------------------------------------


def test_a_ticket_keeps_times_states_and_keyed_people(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_tickets"),
        page("tickets", ticket(7, assignee_id=9, updated_at="2024-05-02T14:30:00+02:00")),
    )
    assert len(rows) == 1
    row = rows[0]
    assert (row["file_id"], row["line_number"], row["ticket_id"]) == (0, 1, 7)
    assert (row["created_at"], row["updated_at"]) == (AT, datetime(2024, 5, 2, 12, 30))
    assert picked(rows, "status", "channel", "priority", "satisfaction") == [
        ("open", "web", "high", "good")
    ]
    assert row["requester_key"] == desk.key("zendesk_user:501")
    assert row["assignee_key"] == desk.key("zendesk_user:9")
    assert desk.counts[0].newest_at == datetime(2024, 5, 2, 12, 30)


def test_a_deleted_ticket_is_loaded_as_deleted(desk: Desk) -> None:
    deleted = {"id": 7, "status": "deleted", "created_at": TIME, "updated_at": TIME, "via": None}
    rows = desk.read(ZendeskReader("zendesk_tickets"), page("tickets", deleted))
    assert picked(rows, "ticket_id", "status", "channel") == [(7, "deleted", None)]


def test_both_spellings_of_on_hold_are_hold(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_tickets"),
        lines(ticket(1, status="hold"), ticket(2, status="on-hold"), ticket(3, status="Solved")),
    )
    assert picked(rows, "status") == [("hold",), ("hold",), ("solved",)]


def test_users_are_known_by_their_keys_only(desk: Desk) -> None:
    user = {
        "id": 501,
        "external_id": "learner-1",
        "email": " Ada@Example.org",
        "name": CANARY,
        "phone": CANARY,
        "role": "end-user",
        "created_at": None,
        "updated_at": TIME,
    }
    rows = desk.read(
        ZendeskReader("zendesk_users"),
        page("users", user, user | {"id": 502, "external_id": 42, "email": None}),
    )
    assert picked(rows, "zendesk_user_key", "user_key", "email_key", "role", "created_at") == [
        (
            desk.key("zendesk_user:501"),
            desk.key("learner-1"),
            desk.key("email:ada@example.org"),
            "end-user",
            None,
        ),
        (desk.key("zendesk_user:502"), desk.key("42"), None, "end-user", None),
    ]


def test_ratings_and_calls_are_loaded(desk: Desk) -> None:
    rating = {
        "id": 1,
        "ticket_id": 7,
        "score": "bad",
        "requester_id": 501,
        "comment": CANARY,
        "created_at": TIME,
        "updated_at": TIME,
    }
    rows = desk.read(
        ZendeskReader("zendesk_satisfaction_ratings"), page("satisfaction_ratings", rating)
    )
    assert picked(rows, "rating_id", "ticket_id", "score", "requester_key") == [
        (1, 7, "bad", desk.key("zendesk_user:501"))
    ]
    call = {
        "id": 3,
        "ticket_id": None,
        "direction": "inbound",
        "completion_status": "abandoned_in_queue",
        "customer_id": 501,
        "phone_number": CANARY,
        "wait_time": 35,
        "talk_time": None,
        "created_at": TIME,
        "updated_at": TIME,
    }
    rows = desk.read(ZendeskReader("zendesk_calls"), page("calls", call))
    assert picked(rows, "call_id", "ticket_id", "direction", "completion_status") == [
        (3, None, "inbound", "abandoned_in_queue")
    ]
    assert picked(rows, "requester_key", "wait_seconds", "talk_seconds") == [
        (desk.key("zendesk_user:501"), 35, None)
    ]


def test_the_language_is_that_of_the_locale_and_organizations_have_no_name(desk: Desk) -> None:
    users = [
        {"id": number, "updated_at": TIME, "locale": locale}
        for number, locale in enumerate(("fr-CA", "en", "es-419", CANARY, None), start=1)
    ]
    rows = desk.read(ZendeskReader("zendesk_users"), page("users", *users))
    assert picked(rows, "language") == [("fr",), ("en",), ("es",), (None,), (None,)]
    organization = {"id": 9, "name": CANARY, "notes": CANARY, "created_at": TIME}
    rows = desk.read(
        ZendeskReader("zendesk_organizations"),
        page("organizations", organization | {"updated_at": TIME, "deleted_at": None}),
    )
    assert picked(rows, "organization_id", "is_deleted", "created_at") == [(9, False, AT)]
    rows = desk.read(ZendeskReader("zendesk_tickets"), lines(ticket(1, organization_id=9)))
    assert picked(rows, "organization_id") == [(9,)]


def test_legs_of_calls_are_loaded(desk: Desk) -> None:
    leg = {
        "id": 31,
        "call_id": 3,
        "type": "agent",
        "completion_status": "agent_missed",
        "agent_id": 9,
        "user_id": 9,
        "talk_time": 0,
        "created_at": TIME,
        "updated_at": TIME,
    }
    # Talk's next_page is never empty, not even on the last page.
    rows = desk.read(
        ZendeskReader("zendesk_legs"), page("legs", leg, next_page="https://school.example/legs")
    )
    assert picked(rows, "leg_id", "call_id", "leg_type", "completion_status", "talk_seconds") == [
        (31, 3, "agent", "agent_missed", 0)
    ]
    assert rows[0]["agent_key"] == desk.key("zendesk_user:9")


def test_metric_events_keep_the_policy_that_they_apply(desk: Desk) -> None:
    event = {"id": 1, "ticket_id": 7, "metric": "reply_time", "instance_id": 1, "time": TIME}
    sla = {"target": 60, "business_hours": True, "policy": {"id": 25, "title": CANARY}}
    rows = desk.read(
        ZendeskReader("zendesk_ticket_metric_events"),
        page(
            "ticket_metric_events",
            event | {"type": "activate"},
            event | {"id": 2, "type": "apply_sla", "sla": sla},
            event | {"id": 3, "type": "apply_sla", "sla": sla | {"target_in_seconds": 90}},
            event | {"id": 4, "type": "breach", "deleted": True},
            event | {"id": 5, "type": "update_status", "status": {"calendar": 5, "business": 2}},
            event | {"id": 6, "type": "breach", "time": "soon"},
        ),
    )
    assert picked(
        rows, "metric_event_id", "event_type", "policy_id", "target_seconds", "is_business_time",
        "is_deleted",
    ) == [
        (1, "activate", None, None, None, False),
        (2, "apply_sla", 25, 3600, True, False),
        (3, "apply_sla", 25, 90, True, False),
        (4, "breach", None, None, None, True),
        (5, "update_status", None, None, None, False),
    ]  # fmt: skip
    assert desk.quarantined == [(0, 6, "time is not a time such as 2026-01-31T12:00:00Z")]
    assert desk.counts[0].newest_at == AT


def test_policies_keep_their_targets(desk: Desk) -> None:
    policy = {
        "id": 25,
        "title": "Paying",
        "description": CANARY,
        "position": 1,
        "filter": {"all": [{"field": "subject", "operator": "is", "value": CANARY}], "any": []},
        "policy_metrics": [
            {"priority": "Normal", "metric": "first_reply_time", "target": 30,
             "target_in_seconds": 1800, "business_hours": False},
            {"priority": "high", "metric": "total_resolution_time", "target": 2,
             "business_hours": True},
        ],
        "created_at": TIME,
        "updated_at": TIME,
    }  # fmt: skip
    rows = desk.read(ZendeskReader("zendesk_sla_policies"), page("sla_policies", policy))
    assert picked(rows, "policy_id", "title") == [(25, "Paying")]
    assert [tuple(one.values()) for one in rows[0]["targets"]] == [
        ("normal", "first_reply_time", 1800, False),
        ("high", "total_resolution_time", 120, True),
    ]
    assert CANARY not in repr(rows)


def schedule(number: int, *intervals: tuple[Any, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": CANARY,
        "time_zone": "Paris",
        "created_at": TIME,
        "updated_at": TIME,
        "intervals": [{"start_time": start, "end_time": end} for start, end in intervals],
    } | changes


def test_schedules_have_hours_and_a_time_zone_by_zendesks_name_or_the_iana_one(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_schedules"),
        page(
            "schedules",
            schedule(1, (3420, 3900), (1980, 2460)),
            schedule(2, time_zone="Pacific Time (US & Canada)"),
            schedule(3, (0, 10080), time_zone="Asia/Kolkata"),
            schedule(4, time_zone="Atlantis"),
            schedule(5, (100, 200), (199, 300)),
            schedule(6, (100, 100)),
            schedule(7, (10000, 10081)),
            schedule(8, (None, 200)),
            schedule(9, intervals="always"),
        ),
    )
    assert picked(rows, "schedule_id", "time_zone") == [
        (1, "Europe/Paris"),
        (2, "America/Los_Angeles"),
        (3, "Asia/Kolkata"),
    ]
    assert [[tuple(one.values()) for one in row["intervals"]] for row in rows] == [
        [(1980, 2460), (3420, 3900)],
        [],
        [(0, 10080)],
    ]
    assert [reason for _, _, reason in desk.quarantined] == [
        "time_zone cannot be used",
        *["intervals cannot be used"] * 4,
        "intervals is missing",
    ]


def test_holidays_find_their_schedule_in_the_row_the_page_or_the_folder(desk: Desk) -> None:
    holiday = {"id": 5, "name": CANARY, "start_date": "2026-12-24", "end_date": "2026-12-26"}
    address = "https://school.example/api/v2/business_hours/schedules/7/holidays.json"
    reader = ZendeskReader("zendesk_holidays")
    rows = desk.read(
        reader,
        page("holidays", holiday, url=address),
        page("holidays", holiday | {"schedule_id": 8}, url=address),
        page("holidays", holiday),
        page("holidays", holiday | {"schedule_id": 9, "end_date": "soon"}),
    )
    columns = ("file_id", "holiday_id", "schedule_id", "starts_on", "ends_on")
    days = (date(2026, 12, 24), date(2026, 12, 26))
    assert picked(rows, *columns) == [(0, 5, 7, *days), (1, 5, 8, *days)]
    assert [(file_id, reason[:40]) for file_id, _, reason in desk.quarantined] == [
        (2, "schedule_id (keep the page's url, or put"),
        (3, "end_date cannot be used"),
    ]
    assert desk.counts[0].newest_at is None
    text = desk.folder / "holidays"
    text.write_text(page("holidays", holiday))
    for path, expected in (
        ("zendesk/schedules/12/holidays.json", 12),
        ("zendesk/holidays/schedule-13_2026.json", 13),
        ("zendesk/holidays/holidays_2026.json", None),
    ):
        assert _schedule_of(UnpackedFile(0, path, text)) == expected


def test_a_ticket_that_changes_its_schedule_says_to_which(desk: Desk) -> None:
    change = {"id": 1, "previous_schedule_id": None, "new_schedule_id": "25"}
    rows = desk.read(
        ZendeskReader("zendesk_ticket_audits"),
        lines(audit(1, change | {"type": "ScheduleAssignment"})),
        lines({"id": 2, "ticket_id": 7, "created_at": TIME, "child_events": [
            change | {"event_type": "ScheduleAssignment", "previous_schedule_id": "26"}]}),
    )  # fmt: skip
    assert picked(rows, "event_type", "field_name", "previous_value", "value") == [
        ("ScheduleAssignment", "schedule_id", None, "25"),
        ("ScheduleAssignment", "schedule_id", "26", "25"),
    ]


def test_every_zone_that_zendesk_names_is_one() -> None:
    assert set(ZONES.values()) <= available_timezones()
    assert ZONES["Paris"] == "Europe/Paris"
    assert len(ZONES) > 150


def test_audits_and_ticket_events_give_the_same_history(desk: Desk) -> None:
    audits = audit(
        90,
        {"id": 1, "type": "Create", "field_name": "status", "value": "new"},
        {"id": 2, "type": "Create", "field_name": "assignee_id", "value": "9"},
        {"id": 3, "type": "Change", "field_name": "type", "value": "task", "previous_value": "x"},
        {"id": 4, "type": "Change", "field_name": "status", "value": "on-hold",
         "previous_value": "new"},
        {"id": 5, "type": "Comment", "body": CANARY, "public": False, "author_id": 9},
    )  # fmt: skip
    events = {
        "id": 90,
        "ticket_id": 7,
        "timestamp": 1714557600,
        "updater_id": 501,
        "event_type": "Audit",
        "via": "Web form",
        "system": {"ip_address": CANARY},
        "child_events": [
            {"id": 1, "event_type": "Create", "status": "new"},
            {"id": 2, "event_type": "Create", "assignee_id": 9},
            {"id": 3, "event_type": "Change", "type": "task", "previous_value": "x"},
            {"id": 4, "event_type": "Change", "status": "on-hold", "previous_value": "new"},
            {"id": 5, "event_type": "Comment", "type": "Comment", "body": CANARY,
             "comment_present": True, "comment_public": False, "author_id": 9},
        ],
    }  # fmt: skip
    columns = (
        "line_number",
        "audit_id",
        "ticket_id",
        "position",
        "created_at",
        "event_type",
        "field_name",
        "previous_value",
        "value",
        "author_key",
        "is_public",
    )
    agent, author = desk.key("zendesk_user:9"), desk.key("zendesk_user:501")
    expected = [
        (1, 90, 7, 1, AT, "Create", "status", None, "new", author, None),
        (1, 90, 7, 2, AT, "Create", "assignee_id", None, str(agent), author, None),
        (1, 90, 7, 3, AT, "Change", "type", "x", "task", author, None),
        (1, 90, 7, 4, AT, "Change", "status", "new", "hold", author, None),
        (1, 90, 7, 5, AT, "Comment", None, None, None, agent, False),
    ]
    rows = desk.read(ZendeskReader("zendesk_ticket_audits"), page("audits", audits))
    assert picked(rows, *columns) == expected
    rows = desk.read(ZendeskReader("zendesk_ticket_events"), page("ticket_events", events))
    assert picked(rows, *columns) == expected


def test_values_are_kept_only_of_fields_without_free_text(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_ticket_audits"),
        lines(
            audit(
                1,
                {"type": "Change", "field_name": "subject", "value": CANARY, "previous_value": "a"},
                {"type": "Change", "field_name": "360001", "value": CANARY},
                {"type": "Change", "field_name": "tags", "value": [CANARY]},
                {"type": "Change", "field_name": "group_id", "value": 12, "previous_value": None},
                {"type": "Notification", "subject": CANARY, "body": CANARY, "recipients": [1]},
            )
        ),
        lines({"id": 2, "ticket_id": 7, "created_at": TIME, "child_events": [
            {"event_type": "Change", "subject": CANARY, "previous_value": CANARY},
            {"event_type": "Change", "custom_ticket_fields": {"1": CANARY}},
            {"event_type": "Change", "tags": ["b"], "added_tags": ["b"], "removed_tags": []},
        ]}),
    )  # fmt: skip
    assert picked(rows, "file_id", "field_name", "value", "previous_value") == [
        (0, "subject", None, None),
        (0, "360001", None, None),
        (0, "tags", None, None),
        (0, "group_id", "12", None),
        (0, None, None, None),
        (1, "subject", None, None),
        (1, "custom_ticket_fields", None, None),
        (1, "tags", None, None),
    ]


def test_an_audit_without_events_is_a_row_and_the_system_is_nobody(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_ticket_audits"),
        lines(audit(1, author_id=-1), audit(2, events=None, author_id=None)),
    )
    assert picked(rows, "audit_id", "position", "event_type", "author_key") == [
        (1, 0, "Audit", None),
        (2, 0, "Audit", None),
    ]


def test_bad_events_of_an_audit_are_quarantined_one_by_one(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_ticket_audits"),
        lines(
            audit(1, {"type": "Comment", "public": True}, {"id": 5}, "x", {"type": "External"}),
            audit(2, events={"type": "Comment"}),
            audit(3, created_at="soon"),
            audit("four"),
            audit(5, ticket_id=None),
        ),
    )
    assert picked(rows, "audit_id", "position", "event_type", "is_public") == [
        (1, 1, "Comment", True),
        (1, 4, "External", None),
    ]
    assert desk.quarantined == [
        (0, 1, "event 2 has no type"),
        (0, 1, "event 3 is not a JSON object"),
        (0, 2, "its events are not a list"),
        (0, 3, "created_at is not a time such as 2026-01-31T12:00:00Z"),
        (0, 4, "id is not a whole number"),
        (0, 5, "ticket_id is missing"),
    ]
    assert desk.counts[0].rows_in == 8


def test_no_free_text_and_no_address_enters_the_warehouse(desk: Desk) -> None:
    person = {"id": 1, "name": CANARY, "email": f"{CANARY}@x.org", "updated_at": TIME}
    change = {"type": "Change", "field_name": "subject", "value": CANARY}
    comment = {"type": "Comment", "body": CANARY, "value": CANARY}
    exports = {
        "zendesk_tickets": ticket(1),
        "zendesk_users": person | {"external_id": CANARY, "phone": CANARY, "notes": CANARY},
        "zendesk_ticket_audits": audit(1, change, comment),
        "zendesk_satisfaction_ratings": person | {"created_at": TIME, "comment": CANARY},
        "zendesk_calls": person | {"created_at": TIME, "phone_number": CANARY},
        "zendesk_legs": person | {"created_at": TIME, "call_id": 1, "forwarded_to": CANARY},
        "zendesk_organizations": person | {"details": CANARY, "domain_names": [CANARY]},
        "zendesk_schedules": schedule(1),
    }
    for source, row in exports.items():
        broken = json.dumps(row)[:-5]
        wrong = row | {"id": CANARY, "updated_at": CANARY, "created_at": CANARY}
        rows = desk.read(ZendeskReader(source), lines(row, broken, wrong), page("x", row) + broken)
        assert rows
        assert CANARY not in repr(rows) + repr(desk.quarantined) + repr(desk.counts)
        assert CANARY not in repr(desk.select("from raw.unknown_fields"))


# -- how it is written -----------------------------------------------------------------------------


def shapes(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The same tickets in every way an export writes them."""
    half = len(rows) // 2
    return {
        "a page": page("tickets", *rows),
        "a page whose list comes last": json.dumps({"count": 1, "meta": {"a": 1}, "tickets": rows}),
        "a printed page": json.dumps({"count": 1, "tickets": rows}, indent=2),
        "a printed page with a row a line": '{"tickets":[\n'
        + ",\n".join(json.dumps(row) for row in rows)
        + '\n],"count":2}\n',
        "two pages": page("tickets", *rows[:half]) + "\n" + page("tickets", *rows[half:]) + "\n",
        "two printed pages": json.dumps({"tickets": rows[:half]}, indent=1)
        + "\n"
        + json.dumps({"tickets": rows[half:]}, indent=1),
        "a list": json.dumps(rows),
        "a printed list": json.dumps(rows, indent=4),
        "lines": lines(*rows),
        "lines of Windows": "\r\n".join(json.dumps(row) for row in rows),
        "lines with blank ones": "\n" + "\n \n".join(json.dumps(row) for row in rows) + "\n\n",
        "lines with a mark": "\ufeff" + lines(*rows),
    }


@pytest.mark.parametrize("shape", list(shapes([])))
def test_every_way_of_writing_gives_the_same_rows(desk: Desk, shape: str) -> None:
    tickets = [ticket(number, priority=None if number % 2 else "low") for number in range(1, 6)]
    expected = desk.read(ZendeskReader("zendesk_tickets"), shapes(tickets)["a list"])
    assert [row["ticket_id"] for row in expected] == [1, 2, 3, 4, 5]
    rows = desk.read(ZendeskReader("zendesk_tickets"), shapes(tickets)[shape])
    if shape == "lines with blank ones":
        assert [row.pop("line_number") for row in rows] == [2, 4, 6, 8, 10]
        expected = [{k: v for k, v in row.items() if k != "line_number"} for row in expected]
    assert rows == expected
    assert desk.quarantined == []


def test_the_hash_of_a_row_changes_with_what_it_says(desk: Desk) -> None:
    rows = desk.read(
        ZendeskReader("zendesk_tickets"),
        lines(ticket(1), ticket(1, subject="other"), ticket(1)),
        page("tickets", ticket(1)),
    )
    hashes = [row["row_hash"] for row in rows]
    assert hashes[0] == hashes[2] == hashes[3]
    assert hashes[0] != hashes[1]
    assert isinstance(hashes[0], uuid.UUID)


def test_many_files_are_read_in_one_batch(desk: Desk) -> None:
    contents = [page("tickets", ticket(number), ticket(number + 100)) for number in range(40)]
    contents[7] = contents[7][:-200]
    contents[9] = ""
    rows = desk.read(ZendeskReader("zendesk_tickets"), *contents)
    assert [row["ticket_id"] for row in rows if row["file_id"] == 39] == [39, 139]
    assert len(rows) == 38 * 2 + 1
    assert desk.quarantined == [(7, 2, "is not valid JSON")]


def test_empty_pages_have_no_rows(desk: Desk) -> None:
    desk.read(ZendeskReader("zendesk_tickets"), page("tickets"), "", "[]", "\n\n")
    assert [desk.counts[number].rows_in for number in range(4)] == [0, 0, 0, 0]


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("not json", "is not valid JSON"),
        ('{"id": 1', "is not valid JSON"),
        ("17", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ({"error": "InvalidEndpoint"}, "id is missing"),
        ({"tickets": {"id": 1}}, "tickets is not a list"),
        (ticket(1, id=None), "id is missing"),
        (ticket(1, id="1.5"), "id is not a whole number"),
        (ticket(1, id=10**30), "id is not a whole number"),
        (ticket(1, created_at=None), "created_at is missing"),
        (ticket(1, updated_at=None), "updated_at is missing"),
        (ticket(1, updated_at=7), "updated_at is not a time such as 2026-01-31T12:00:00Z"),
        (
            ticket(1, updated_at="9999-12-31T00:00:00Z"),
            "updated_at is not a time such as 2026-01-31T12:00:00Z",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_quarantined_with_its_reason(
    desk: Desk, row: Any, reason: str
) -> None:
    content = lines(ticket(1), row, ticket(2))
    rows = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert picked(rows, "line_number", "ticket_id") == [(1, 1), (3, 2)]
    assert desk.quarantined == [(0, 2, reason)]
    hashes = desk.select("select line_hash from raw.quarantined_rows")
    assert hashes == [{"line_hash": desk.key("line:" + content.splitlines()[1])}]


def test_ill_typed_numbers_are_quarantined(desk: Desk) -> None:
    call = {"id": 1, "created_at": TIME, "updated_at": TIME, "wait_time": "5s"}
    desk.read(ZendeskReader("zendesk_calls"), lines(call, call | {"wait_time": 5, "ticket_id": {}}))
    assert desk.quarantined == [
        (0, 1, "wait_time is not a whole number"),
        (0, 2, "ticket_id is not a whole number"),
    ]


def test_bytes_that_are_no_text_cost_one_row(desk: Desk) -> None:
    good = [json.dumps(ticket(number)).encode() for number in (1, 2, 3)]
    bad = good[1].replace(b"web", b"w\xe9b")
    reader = ZendeskReader("zendesk_tickets")
    rows = desk.read(
        reader,
        b"\n".join([good[0], bad, good[2]]),
        b'{"tickets":[' + b",".join([good[0], bad, good[2]]) + b"]}",
        b"[" + b",\n".join([good[0], bad.replace(b"\xe9", b"\0"), good[2]]) + b"]",
    )
    assert picked(rows, "file_id", "ticket_id") == [
        (file_id, number) for file_id in range(3) for number in (1, 3)
    ]
    assert desk.quarantined == [
        (file_id, 2, "holds bytes that are not UTF-8 text") for file_id in range(3)
    ]


@pytest.mark.parametrize("shape", ["a page", "a printed page", "a list", "a printed list"])
def test_a_page_with_a_damaged_row_keeps_the_others(desk: Desk, shape: str) -> None:
    content = shapes([ticket(number) for number in range(1, 6)])[shape]
    damaged = content.replace('"id": 3,', '"id: 3,')
    assert damaged != content
    rows = desk.read(ZendeskReader("zendesk_tickets"), damaged)
    assert picked(rows, "line_number", "ticket_id") == [(1, 1), (2, 2), (4, 4), (5, 5)]
    assert desk.quarantined == [(0, 3, "is not valid JSON")]


def test_a_damaged_page_among_pages_a_line_keeps_its_good_rows(desk: Desk) -> None:
    pages = [page("tickets", *(ticket(3 * p + n) for n in range(3))) for p in range(3)]
    content = "\n".join([pages[0], pages[1][: len(pages[1]) * 2 // 3 - 20], pages[2]])
    rows = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [row["ticket_id"] for row in rows] == [0, 1, 2, 3, 6, 7, 8]
    assert [row["line_number"] for row in rows] == [1, 2, 3, 4, 6, 7, 8]
    assert desk.quarantined == [(0, 5, "is not valid JSON")]


@pytest.mark.parametrize("shape", ["a page", "a list"])
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (0, -2),  # its brackets are lost: the next rows seem to lie in it
        (0, -1),
        (-40, None),  # its beginning is lost: its brackets seem to close the page
        (-2, None),
        (-1, None),
    ],
)
@pytest.mark.parametrize("bad", [1, 2, 4])
def test_brackets_of_a_damaged_row_take_no_other_rows_with_them(
    desk: Desk, shape: str, begins: int, ends: int | None, bad: int
) -> None:
    rows = [json.dumps(schedule(number, (1980, 2520))) for number in range(1, 6)]
    rows[bad - 1] = rows[bad - 1][begins:ends]
    listed = ", ".join(rows)
    content = f"[{listed}]" if shape == "a list" else f'{{"schedules": [{listed}], "count": 5}}'
    found = desk.read(ZendeskReader("zendesk_schedules"), content)
    assert [row["schedule_id"] for row in found] == [n for n in range(1, 6) if n != bad]
    assert [line for _, line, _ in desk.quarantined] == [bad]


@pytest.mark.parametrize("begins", ['{"id": 2}', "]"])
def test_the_rest_of_a_row_whose_list_seems_to_close_the_page_takes_no_other_rows_with_it(
    desk: Desk, begins: str
) -> None:
    """Its beginning is lost up to a list in it, which more of its keys follow."""
    rows = [
        json.dumps({"fields": [{"id": 1}, {"id": 2}], "via": {"channel": "web"}, **ticket(number)})
        for number in range(1, 6)
    ]
    rows[2] = rows[2][rows[2].index(begins) :]
    content = f'{{"tickets": [{", ".join(rows)}], "count": 5}}'
    found = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [row["ticket_id"] for row in found] == [1, 2, 4, 5]
    assert [line for _, line, _ in desk.quarantined] == [3]


@pytest.mark.parametrize("shape", ["a page", "a list"])
def test_a_row_whose_first_letters_are_a_bracket_closes_no_list(desk: Desk, shape: str) -> None:
    content = shapes([ticket(number) for number in range(1, 6)])[shape]
    third = content.index(json.dumps(ticket(3)))
    damaged = content[:third] + "]" + content[third:]
    found = desk.read(ZendeskReader("zendesk_tickets"), damaged)
    assert picked(found, "line_number", "ticket_id") == [(1, 1), (2, 2), (4, 4), (5, 5)]
    assert desk.quarantined == [(0, 3, "is not valid JSON")]


def test_what_stands_behind_a_list_is_told(desk: Desk) -> None:
    content = f"[{json.dumps(ticket(1))}] and more\n[oops"
    found = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [row["ticket_id"] for row in found] == [1]
    assert desk.quarantined == [(0, 2, "is not valid JSON")]


@pytest.mark.parametrize("good", [1, 2, 7])
def test_damaged_lines_that_look_like_a_list_make_no_page_of_a_file_of_lines(
    desk: Desk, good: int
) -> None:
    """The first line is damaged, and of another one only the end is left, from a bracket on."""
    rows = [json.dumps(ticket(number)) for number in range(1, good + 1)]
    lines = ['{"id" 100}', *rows, '[{\\"id\\": 1}]", "status": "open"}']
    found = desk.read(ZendeskReader("zendesk_tickets"), "\n".join(lines))
    assert picked(found, "line_number", "ticket_id") == [(n + 1, n) for n in range(1, good + 1)]
    assert [line for _, line, _ in desk.quarantined] == [1, good + 2]


def test_another_list_of_a_page_is_not_taken_for_the_rest_of_its_rows(desk: Desk) -> None:
    content = f'{{"tickets": [{json.dumps(ticket(1))}, {{}}], "other": [{json.dumps(ticket(3))}]}}'
    found = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [row["ticket_id"] for row in found] == [1]


def test_a_page_whose_end_is_lost_takes_not_the_next_one(desk: Desk) -> None:
    first, second = (
        page("schedules", *(schedule(n, (1980, 2520)) for n in pair)) for pair in ((1, 2), (3, 4))
    )
    damaged = first.replace("}]}]", "}]")
    assert damaged != first
    found = desk.read(ZendeskReader("zendesk_schedules"), f"{damaged}\n{second}")
    assert [row["schedule_id"] for row in found] == [1, 2, 3, 4]
    assert desk.quarantined == [(0, 3, "is not valid JSON")]


def test_rows_are_numbered_and_not_lines_where_a_line_is_a_list(desk: Desk) -> None:
    found = desk.read(ZendeskReader("zendesk_tickets"), lines(ticket(1), [], ticket(2), ["x"]))
    assert picked(found, "line_number", "ticket_id") == [(1, 1), (2, 2)]
    assert desk.quarantined == [(0, 3, "is not a JSON object")]


def test_the_end_of_a_line_that_looks_like_a_list_is_a_bad_line(desk: Desk) -> None:
    event = {"ticket_id": 7, "created_at": TIME, "events": [{"type": "A"}, {"type": "B"}]}
    content = lines(*({"id": number, **event} for number in (1, 2, 3)))
    at = [place for place in range(len(content)) if content.startswith(" [", place)][1]
    found = desk.read(ZendeskReader("zendesk_ticket_audits"), f"{content[:at]}\n{content[at:]}")
    assert [row["line_number"] for row in found] == [1, 1, 4, 4]
    assert desk.quarantined == [(0, 2, "is not valid JSON"), (0, 3, "is not valid JSON")]


@pytest.mark.parametrize(
    "content", ["[", '{"tickets": [', '{"tickets": [' + json.dumps(ticket(1)) + ","]
)
def test_a_list_that_never_ends_is_not_taken_for_whole(desk: Desk, content: str) -> None:
    desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [reason for *_, reason in desk.quarantined] == ["is not valid JSON"]


def test_what_nobody_foresaw_costs_one_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ZendeskReader("zendesk_tickets")
    collect = reader._collect

    def fail(connection: Any, files: list[UnpackedFile]) -> Any:
        counts = collect(connection, files)
        if any(file.file_id == 1 for file in files):
            connection.execute(f"select '{CANARY}'::int")
        return counts

    monkeypatch.setattr(reader, "_collect", fail)
    rows = desk.read(reader, *(lines(ticket(number), ticket(9)) for number in range(4)))
    assert picked(rows, "file_id") == [(0,), (0,), (2,), (2,), (3,), (3,)]
    assert desk.quarantined == [(1, None, "cannot be read (ConversionException); export it again")]
    assert desk.counts[1].reason == "cannot be read (ConversionException); export it again"


# -- properties ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(data=st.data(), shape=st.sampled_from(sorted(shapes([]))), size=st.integers(0, 4))
def test_a_file_cut_anywhere_keeps_every_row_before_the_cut(
    desk: Desk, data: st.DataObject, shape: str, size: int
) -> None:
    rows = [ticket(number) for number in range(1, size + 1)]
    content = shapes(rows)[shape]
    cut = data.draw(st.integers(0, len(content)))
    indent = {"a printed page": 2, "two printed pages": 1, "a printed list": 4}.get(shape)
    whole = 0
    for row in rows:
        text = json.dumps(row, indent=indent)
        if indent is not None:
            depth = indent if shape == "a printed list" else 2 * indent
            text = text.replace("\n", "\n" + " " * depth)
        if content.find(text) + len(text) > cut:
            break
        whole += 1
    loaded = desk.read(ZendeskReader("zendesk_tickets"), content[:cut], damage="truncated gzip")
    assert [row["ticket_id"] for row in loaded] == list(range(1, whole + 1))
    assert len(desk.quarantined) <= 1 or whole == 0
    assert desk.counts[0].reason == "truncated gzip"


@settings(max_examples=25, deadline=None)
@given(
    contents=st.lists(
        st.binary(max_size=60)
        | st.text('[]{},:"\\ \n0', max_size=30).map(str.encode)
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "tickets", "events", "audits", "type", "created_at"]),
                    inner,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        min_size=4,
        max_size=4,
    ),
    source=st.sampled_from(sorted(ZENDESK_TABLES)),
)
def test_no_content_stops_a_load(desk: Desk, contents: list[bytes], source: str) -> None:
    desk.read(ZendeskReader(source), *contents)


@pytest.mark.parametrize("bad", ['{"id": 2, "subject": "cut', '{"id": 2}}', '"}, {"', "[[", ""])
def test_a_row_behind_a_damaged_one_is_found_whatever_the_damage(desk: Desk, bad: str) -> None:
    rows = f"{json.dumps(ticket(1))}, {bad}, {json.dumps(ticket(3))}"
    content = f'{{"tickets": [{rows}]}}\n{page("tickets", ticket(4))}\n'
    found = desk.read(ZendeskReader("zendesk_tickets"), content)
    assert [row["ticket_id"] for row in found if row["ticket_id"] != 4] == [1, 3]
