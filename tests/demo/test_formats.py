from __future__ import annotations

import ipaddress
import json
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import Contracts, SurveyMapping, read_contracts
from orchestration.demo.courses import COURSES, LISTED
from orchestration.landing.names import read_name
from orchestration.loading.amplitude import STANDARD_COLUMNS
from orchestration.settings import REPOSITORY
from tests.demo.exports import Demo, hour_of, newest, read_amplitude, read_csv, read_pages

DOCUMENTATION_NETS = [
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return read_contracts(REPOSITORY / "data" / "sources")


@pytest.fixture(scope="module")
def rows(demo: Demo) -> dict[str, list[Any]]:
    """The readable rows of each event file."""
    return {
        name: [json.loads(line) for line in lines if line.endswith("}")]
        for name, lines in read_amplitude(demo.landing).events.items()
    }


def test_rows_have_all_of_amplitudes_columns_in_its_order(rows: dict[str, list[Any]]) -> None:
    for row in (row for found in rows.values() for row in found):
        assert set(row) == STANDARD_COLUMNS
        assert list(row) == sorted(row)


def test_rows_are_as_wide_as_real_ones(demo: Demo) -> None:
    lines = [line for found in read_amplitude(demo.landing).events.values() for line in found]
    assert 1_000 < sum(map(len, lines)) / len(lines) < 1_700


def test_a_file_holds_the_rows_that_were_uploaded_in_its_hour(rows: dict[str, list[Any]]) -> None:
    for name, found in rows.items():
        assert {row["server_upload_time"][:13] for row in found} <= {hour_of(name)}
        assert all(row["app"] == 100042 for row in found)


def test_times_are_amplitudes_and_no_event_is_uploaded_before_it_happens(
    rows: dict[str, list[Any]],
) -> None:
    pattern = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}")
    for row in (row for found in rows.values() for row in found):
        assert pattern.fullmatch(row["event_time"])
        assert row["event_time"] < row["server_upload_time"] < row["processed_time"]


def test_months_and_days_lie_in_zips_and_the_newest_days_do_not(demo: Demo) -> None:
    folder = demo.landing / "amplitude"
    zips = {path.name for path in folder.glob("*.zip")}
    assert {"100042_2025-04.zip", "100042_2026-05.zip", "100042_2026-06-27.zip"} <= zips
    assert "100042_2026-06.zip" not in zips
    bare = {path.name[7:17] for path in (folder / "100042").glob("100042_*")}
    assert bare == {"2026-06-28", "2026-06-29", "2026-06-30"}


def test_zips_hold_compressed_files_under_a_fixed_time(demo: Demo) -> None:
    for path in (demo.landing / "amplitude").glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            for entry in archive.infolist():
                assert entry.date_time == (2020, 1, 1, 0, 0, 0)
                assert entry.compress_type == zipfile.ZIP_STORED
                assert archive.read(entry)[4:8] == bytes(4)  # no time in the gzip header


def test_hours_are_written_with_and_without_a_leading_zero(demo: Demo) -> None:
    names = read_amplitude(demo.landing).events
    assert any(re.search(r"_\d#0", name) for name in names)
    assert any(re.search(r"_0\d#1", name) for name in names)


def test_merge_files_hold_one_object_a_line(demo: Demo) -> None:
    merges = read_amplitude(demo.landing).merges
    for name, lines in merges.items():
        for line in lines:
            row = json.loads(line)
            assert list(row) == [
                "scope",
                "merge_time",
                "merge_server_time",
                "amplitude_id",
                "merged_amplitude_id",
            ]
            assert all(isinstance(value, int) for value in row.values())
            hour = int(name.rsplit("_", 1)[1].removesuffix(".json.gz"))
            assert row["merge_server_time"] // 3_600_000 % 24 == hour


def test_all_files_are_known_to_the_landing_room(demo: Demo) -> None:
    for path in demo.landing.rglob("*"):
        name = path.relative_to(demo.landing).as_posix()
        if path.is_file() and path.suffix != ".zip" and not path.name.startswith("."):
            assert read_name(name).source is not None, name


def test_the_tracking_plan_names_all_events_but_the_unplanned(
    contracts: Contracts, rows: dict[str, list[Any]]
) -> None:
    plan = contracts.tracking_plan_for("100042")
    assert plan is not None
    seen = {row["event_type"] for found in rows.values() for row in found}
    assert seen - set(plan.events) == {
        "[Amplitude] Element Clicked",
        "experiment_exposed",
        "session_heartbeat",
    }


def test_the_tracking_plan_knows_all_properties(
    contracts: Contracts, rows: dict[str, list[Any]]
) -> None:
    plan = contracts.tracking_plan_for("100042")
    assert plan is not None
    known = {path for _, path in plan.paths()} | set(plan.ignore)
    for row in (row for found in rows.values() for row in found):
        if row["event_type"] in plan.events and isinstance(row["event_properties"], dict):
            assert {f"event.{name}" for name in row["event_properties"]} <= known
            assert {f"user.{name}" for name in row["user_properties"]} <= known


def mapping_of(contracts: Contracts, landing: Path, path: Path) -> SurveyMapping:
    mapping = contracts.survey_mapping_for(path.relative_to(landing).as_posix())
    assert mapping is not None, path
    return mapping


def test_every_csv_has_the_headers_that_its_mapping_names(contracts: Contracts, demo: Demo) -> None:
    surveys = set()
    for path in demo.landing.rglob("*.csv"):
        mapping = mapping_of(contracts, demo.landing, path)
        surveys.add(mapping.survey)
        written = mapping.format
        header = set(read_csv(path, written.delimiter, written.encoding)[0])
        named = {column.header for column in mapping.columns.values() if not column.constant}
        if mapping.report_when is not None:
            named.add(mapping.report_when.header)
        assert named <= header
    assert surveys == {"alumni_survey", "nps_quarterly", "coach_entries", "contracts"}


def test_csv_rows_keep_commas_quotes_and_line_breaks_in_answers(demo: Demo) -> None:
    comments = [
        row["Why?"]
        for path in (demo.landing / "surveys").glob("nps_quarterly_*.csv")
        for row in read_csv(path)
    ]
    comments += [
        row["Comment"]
        for path in (demo.landing / "surveys").glob("alumni_survey_*.csv")
        for row in read_csv(path)
    ]
    for character in (",", '"', "\n", "è"):
        assert any(character in comment for comment in comments)


def test_pages_of_zendesk_overlap_and_end(demo: Demo) -> None:
    folder = demo.landing / "zendesk" / "tickets"
    pages = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    assert all(page["end_of_stream"] in (True, False) for page in pages)
    months = {path.name[:15] for path in folder.glob("*.json")}
    assert sum(page["end_of_stream"] for page in pages) == len(months)
    talk = sorted((demo.landing / "zendesk" / "calls").glob("*.json"))
    assert all(json.loads(path.read_bytes())["next_page"] for path in talk)


def test_pages_repeat_the_last_row_of_the_page_before() -> None:
    from orchestration.demo.zendesk import _pages

    items: list[dict[str, object]] = [{"id": number} for number in range(250)]
    pages = _pages(items)
    assert [len(page) for page in pages] == [100, 100, 52]
    assert pages[0][-1] is pages[1][0]
    assert {id(item) for page in pages for item in page} == set(map(id, items))


def test_a_ticket_comes_again_with_every_month_in_which_it_changed(demo: Demo) -> None:
    tickets = read_pages(demo.landing, "zendesk/tickets", "tickets")
    statuses: dict[int, set[str]] = {}
    for ticket in tickets:
        statuses.setdefault(ticket["id"], set()).add(ticket["status"])
    assert any(len(found) > 1 for found in statuses.values())


def test_ticket_events_hold_comments_and_both_spellings_of_hold(demo: Demo) -> None:
    events = read_pages(demo.landing, "zendesk/ticket_events", "ticket_events")
    children = [child for event in events for child in event["child_events"]]
    statuses = {child["status"] for child in children if "status" in child}
    assert {"new", "open", "pending", "solved", "closed", "hold", "on-hold"} <= statuses
    comments = [child for child in children if child["event_type"] == "Comment"]
    assert {comment["public"] for comment in comments} == {True, False}
    assert all(comment["body"] for comment in comments)


def test_some_accounts_are_linked_in_zendesk_only_later(demo: Demo) -> None:
    users = read_pages(demo.landing, "zendesk/users", "users")
    first: dict[int, object] = {}
    for user in users:
        first.setdefault(user["id"], user["external_id"])
    last = {number: user["external_id"] for number, user in newest(users).items()}
    assert any(last[number] and not first[number] for number in last)


def test_responses_of_satismeter_overlap_at_the_month(demo: Demo) -> None:
    responses = read_pages(demo.landing, "satismeter", "responses")
    by_id: dict[str, dict[str, Any]] = {}
    for response in responses:
        assert by_id.setdefault(response["id"], response) == response
    assert len(by_id) < len(responses)
    assert {(one["dismissed"], one["pending"]) for one in by_id.values()} == {
        (True, False),
        (False, True),
        (False, False),
    }


def test_nothing_could_be_taken_for_a_real_person(demo: Demo, rows: dict[str, list[Any]]) -> None:
    text = "".join(
        path.read_text(encoding="latin-1")
        for path in demo.landing.rglob("*")
        if path.suffix in (".csv", ".json", ".ndjson") and not path.name.startswith(".")
    )
    addresses = set(re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text))
    for row in (row for found in rows.values() for row in found):
        if row["ip_address"] is not None:
            address = ipaddress.ip_address(row["ip_address"])
            assert any(address in net for net in DOCUMENTATION_NETS)
        if "email" in row["user_properties"]:
            addresses.add(row["user_properties"]["email"])
    assert addresses
    assert {address.rsplit("@", 1)[1].lower() for address in addresses} <= {
        "example.org",
        "example.com",
    }


def test_courses_csv_lists_all_courses_but_the_newest(contracts: Contracts) -> None:
    listed = [(course.course_id, course.title, course.language) for course in contracts.courses]
    assert listed == [(course.course_id, course.title, course.language) for course in LISTED]
    assert {course.course_id for course in COURSES} - {name for name, _, _ in listed} == {
        "genai-first-steps"
    }


def test_the_newest_export_falls_on_the_last_day(demo: Demo, rows: dict[str, list[Any]]) -> None:
    uploads = [row["server_upload_time"] for found in rows.values() for row in found]
    assert demo.truth.as_of == date(2026, 7, 1)
    # The day ends at 22:00 UTC in Paris.
    assert "2026-06-30 18:00" < max(uploads) < "2026-06-30 22:00"
