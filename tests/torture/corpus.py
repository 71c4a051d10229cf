"""Good exports of every source, row by row, for the fuzzer to damage.

A template is one file: its rows as bytes, and how they are written into a file. All ids differ, and
every free text, name and address holds the canary, which may show up nowhere after a load.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CANARY: Final = "kanarienvogel"
PROJECT: Final = "4242"
ROWS: Final = 9

# Rows into the bytes of a file.
Writer = Callable[[Sequence[bytes]], bytes]

CONTRACTS: Final = {
    "plan.yml": f"""
kind: tracking_plan
name: Test school
projects: ["{PROJECT}"]
plans: {{free: free, spark: SPARK}}
roles:
  course_id: [event.course_id]
  plan: [user.plan]
  email: [user.email]
  outcome_type: [event.outcome_type]
  outcome_date: [event.outcome_date]
  quantity: [event.quantity]
  gender: [user.gender]
exclude:
  - {{property: user.is_bot, equals: ["true"]}}
events:
  lesson_completed: {{meanings: [learning, lesson_completed], keep: [lesson_id]}}
  outcome_reported: {{meanings: [outcome_reported]}}
""",
    "satismeter.yml": """
kind: satismeter
traits: {plan: plan, language: language, course_id: course}
plans: {free: free, premium: SPARK}
comments: [feedback]
""",
    "themes.yml": """
kind: themes
languages:
  en: {teachers: [teacher, teach*]}
""",
    "plain.yml": """
kind: survey_mapping
survey: plain
source: survey
files: ["**/plain-*"]
columns:
  response_id: {header: Id}
  submitted_at: {header: At}
  user_id: {header: Learner}
  email: {header: E-mail}
  nps_score: {header: Score}
  comment: {header: Comment}
  outcome_type: {header: Outcome}
  outcome_date: {header: Since, formats: ["%d/%m/%Y", "%Y-%m-%d"]}
keep:
  income: {header: Income, bounds: {low: 0, high: 1000000}}
""",
    "latin.yml": """
kind: survey_mapping
survey: latin
source: coach
files: ["**/latin-*"]
timezone: Europe/Paris
format: {encoding: latin-1, delimiter: ";"}
columns:
  response_id: {header: Numéro}
  submitted_at: {header: Saisi le, formats: ["%d/%m/%Y %H:%M"]}
  user_id: {header: Élève}
  outcome_type: {header: Résultat, values: {"Nouvel emploi": new_job, "Créé": business}}
  outcome_date: {header: Depuis, formats: ["%d/%m/%Y"]}
  credited: {header: Crédite, values: {oui: "yes", non: "no"}}
keep:
  note: {header: Remarque}
""",
    "tabs.yml": """
kind: survey_mapping
survey: tabs
source: contract
files: ["**/tabs-*"]
format: {delimiter: "\\t", header_rows: 0, quote: ""}
columns:
  period: {constant: "2024-01-01"}
  response_id: {position: 1}
  user_id: {position: 2}
  outcome_date: {position: 3}
  outcome_type: {constant: new_job}
""",
    "waves.yml": """
kind: survey_mapping
survey: waves
source: survey
files: ["**/waves-*"]
format: {encoding: utf-16}
timezone: America/New_York
columns:
  response_id: {header: Id}
  wave_date: {header: Wave}
  invited_at: {header: Invited}
  delivered: {header: Arrived}
  submitted_at: {header: Answered}
  email: {header: E-mail}
  nps_score: {header: Score}
  language: {header: Language}
""",
}


@dataclass(frozen=True)
class Template:
    """One good file.

    Attributes:
        name: unique; says source, way of writing and number.
        kind: of rows: `json` or `csv`.
        table: where its rows go.
        folder: it has to lie in.
        stem: of its name, without an ending such as `.gz`.
        rows: as they stand in it.
        write: rows into a file.
        is_lines: whether a row is a physical line, from the first line on (`first_line`).
        first_line: the physical line of the first row.
        encoding: of the rows and the file.
        delimiter: of a CSV.
        has_quotes: whether quotes mean something in a CSV.
    """

    name: str
    kind: str
    table: str
    folder: str
    stem: str
    rows: tuple[bytes, ...]
    write: Writer
    is_lines: bool
    first_line: int = 1
    encoding: str = "utf-8"
    delimiter: bytes = b","
    has_quotes: bool = True

    @property
    def content(self) -> bytes:
        """The file as it should be."""
        return self.write(self.rows)


# -- ways of writing -------------------------------------------------------------------------------


def as_lines(rows: Sequence[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


def as_page(key: str) -> Writer:
    def write(rows: Sequence[bytes]) -> bytes:
        return b'{"%s": [%s], "next_page": null, "count": 9}' % (key.encode(), b", ".join(rows))

    return write


def as_pages(key: str) -> Writer:
    page = as_page(key)

    def write(rows: Sequence[bytes]) -> bytes:
        half = len(rows) // 2
        return page(rows[:half]) + b"\n" + page(rows[half:]) + b"\n"

    return write


def as_printed(key: str) -> Writer:
    def write(rows: Sequence[bytes]) -> bytes:
        listed = b",\n    ".join(rows)
        return b'{\n  "%s": [\n    %s\n  ],\n  "count": 9\n}\n' % (key.encode(), listed)

    return write


def as_list(rows: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def as_table(header: bytes) -> Writer:
    def write(rows: Sequence[bytes]) -> bytes:
        return b"".join(row + b"\n" for row in ((header, *rows) if header else rows))

    return write


# -- rows ------------------------------------------------------------------------------------------


def event(number: int) -> dict[str, Any]:
    at = f"2024-01-{number % 28 + 1:02d} 13:{number % 60:02d}:00.000000"
    is_report = number % 4 == 0
    return {
        "$insert_id": f"insert-{number}",
        "amplitude_id": 10_000 + number,
        "app": int(PROJECT),
        "city": CANARY,
        "device_id": f"device-{number}",
        "event_properties": (
            {"outcome_type": "new_job", "outcome_date": "2024-01-01", "employer": CANARY}
            if is_report
            else {"course_id": "c1", "lesson_id": f"l{number}", "quantity": number}
        ),
        "event_time": at,
        "event_type": "outcome_reported" if is_report else "lesson_completed",
        "ip_address": CANARY,
        "server_upload_time": at,
        "session_id": -1,
        "user_id": f"learner-{number}-{CANARY}",
        "user_properties": {"plan": "spark", "email": f"{CANARY}{number}@example.org"},
        "uuid": str(uuid.UUID(int=number + 1)),
        "country": "France",
        "platform": "Web",
    }


def merge(number: int) -> dict[str, Any]:
    return {
        "amplitude_id": 20_000 + number,
        "merged_amplitude_id": 10_000 + number,
        "merge_event_time": 1_704_067_200_000 + number,
        "merge_server_time": 1_704_067_200_000 + number,
    }


_AT: Final = {"created_at": "2024-05-01T10:00:00Z", "updated_at": "2024-05-02T12:30:00Z"}


def ticket(number: int) -> dict[str, Any]:
    return {
        "id": number,
        **_AT,
        "via": {"channel": "web", "source": {"from": {"address": CANARY}}},
        "subject": f"{CANARY} «ça» 世",
        "description": f'{CANARY}, "tickets": [{{"id": 1}}]\nnext, line',
        "priority": "high",
        "status": "open",
        "requester_id": 500 + number,
        "assignee_id": None,
        "satisfaction_rating": {"score": "good", "comment": CANARY},
        "organization_id": 7,
    }


def zendesk_user(number: int) -> dict[str, Any]:
    return {
        "id": number,
        **_AT,
        "name": CANARY,
        "email": f"{CANARY}{number}@example.org",
        "external_id": f"learner-{number}",
        "role": "end-user",
        "locale": "fr-CA",
    }


def audit(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": 7 + number % 3,
        "created_at": "2024-05-01T10:00:00Z",
        "author_id": 501,
        "metadata": {"system": {"ip_address": CANARY}},
        "events": [
            {"id": 1, "type": "Comment", "public": True, "body": CANARY},
            {"id": 2, "type": "Change", "field_name": "status", "value": "solved"},
        ],
    }


def ticket_event(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": 7 + number % 3,
        "timestamp": 1_714_557_600,
        "updater_id": 501,
        "child_events": [
            {"id": 1, "event_type": "Change", "status": "solved", "previous_value": "open"},
            {"id": 2, "event_type": "Change", "subject": CANARY},
        ],
    }


def rating(number: int) -> dict[str, Any]:
    return {"id": number, **_AT, "ticket_id": 7, "score": "good", "comment": CANARY}


def call(number: int) -> dict[str, Any]:
    return {
        "id": number,
        **_AT,
        "ticket_id": 7,
        "direction": "inbound",
        "completion_status": "completed",
        "customer_id": 500 + number,
        "wait_time": 5,
        "talk_time": 90,
        "phone_number": CANARY,
    }


def leg(number: int) -> dict[str, Any]:
    return {"id": number, **_AT, "call_id": 5, "type": "agent", "talk_time": 3, "agent_id": 4}


def organization(number: int) -> dict[str, Any]:
    return {"id": number, **_AT, "name": CANARY, "deleted_at": None}


def metric_event(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": 7,
        "metric": "reply_time",
        "instance_id": 1,
        "type": "apply_sla",
        "time": "2024-05-01T10:00:00Z",
        "sla": {"target": 60, "business_hours": False, "policy": {"id": 3, "title": CANARY}},
    }


def policy(number: int) -> dict[str, Any]:
    target = {"priority": "high", "metric": "reply_time", "target": 60, "business_hours": True}
    return {"id": number, **_AT, "title": "Paid first", "policy_metrics": [target]}


def schedule(number: int) -> dict[str, Any]:
    hours = [{"start_time": 1_440 + 540, "end_time": 1_440 + 1_080}]
    return {"id": number, **_AT, "name": CANARY, "time_zone": "Paris", "intervals": hours}


def holiday(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "schedule_id": 5,
        "name": CANARY,
        "start_date": "2024-12-24",
        "end_date": "2024-12-26",
    }


def response(number: int) -> dict[str, Any]:
    return {
        "id": f"response-{number}",
        "created": "2024-05-01T10:00:00.250Z",
        "rating": number % 11,
        "feedback": f"teachers {number} {CANARY}@example.org",
        "answers": [{"id": "1", "label": "Why?", "value": CANARY}],
        "campaign": "Quarterly",
        "method": "In-app",
        "dismissed": False,
        "pending": False,
        "user": {
            "id": f"anonymous-{number}",
            "userId": f"learner-{number}",
            "email": f"{CANARY}{number}@example.org",
            "name": CANARY,
            "traits": {"plan": "Premium", "language": "fr"},
        },
    }


def _plain(number: int) -> bytes:
    score, at = number % 11, f"2024-05-{number % 28 + 1:02d}T10:00:00Z"
    comment = f'"teachers, {number} ""{CANARY}@example.org"""'
    return (
        f"r{number},{at},learner-{number},{CANARY}{number}@example.org,{score},{comment},"
        f"{30_000 + number},new_job,01/02/2024"
    ).encode()


def _latin(number: int) -> bytes:
    return (
        f"{number};{number % 28 + 1:02d}/05/2024 10:30;élève-{number};Créé;01/02/2024;oui;"
        f"{number} né à Sète"
    ).encode("latin-1")


def _tabs(number: int) -> bytes:
    return f"{number}\tlearner-{number}\t2024-02-0{number % 9 + 1}".encode()


def _waves(number: int) -> bytes:
    return (
        f"{number},2024-05-01,2024-05-01T09:00:00,yes,2024-05-02T10:00:00,"
        f"{CANARY}{number}@example.org,{number % 11},fr"
    ).encode()


def _utf16(write: Writer) -> Writer:
    """Rows are written as UTF-8 and encoded in the end, so that all mutations work on them."""

    def encoded(rows: Sequence[bytes]) -> bytes:
        return write(rows).decode("utf-8", errors="replace").encode("utf-16")

    return encoded


RESOURCES: Final[dict[str, tuple[str, Callable[[int], dict[str, Any]]]]] = {
    "tickets": ("tickets", ticket),
    "users": ("users", zendesk_user),
    "ticket_events": ("ticket_events", ticket_event),
    "ticket_audits": ("audits", audit),
    "satisfaction_ratings": ("satisfaction_ratings", rating),
    "calls": ("calls", call),
    "legs": ("legs", leg),
    "organizations": ("organizations", organization),
    "ticket_metric_events": ("ticket_metric_events", metric_event),
    "sla_policies": ("sla_policies", policy),
    "schedules": ("schedules", schedule),
    "holidays": ("holidays", holiday),
}
_ZENDESK_TABLES: Final = {
    "tickets": "raw.zendesk_tickets",
    "users": "raw.zendesk_users",
    "ticket_events": "raw.zendesk_ticket_events",
    "ticket_audits": "raw.zendesk_ticket_events",
    "satisfaction_ratings": "raw.zendesk_satisfaction_ratings",
    "calls": "raw.zendesk_calls",
    "legs": "raw.zendesk_call_legs",
    "organizations": "raw.zendesk_organizations",
    "ticket_metric_events": "raw.zendesk_metric_events",
    "sla_policies": "raw.zendesk_sla_policies",
    "schedules": "raw.zendesk_schedules",
    "holidays": "raw.zendesk_holidays",
}
# (mapping, header, row, encoding, delimiter)
SURVEYS: Final[dict[str, tuple[bytes, Callable[[int], bytes], str, bytes]]] = {
    "plain": (b"Id,At,Learner,E-mail,Score,Comment,Income,Outcome,Since", _plain, "utf-8", b","),
    "latin": (
        "Numéro;Saisi le;Élève;Résultat;Depuis;Crédite;Remarque".encode("latin-1"),
        _latin,
        "latin-1",
        b";",
    ),
    "tabs": (b"", _tabs, "utf-8", b"\t"),
    "waves": (b"Id,Wave,Invited,Arrived,Answered,E-mail,Score,Language", _waves, "utf-16", b","),
}
_PAGED: Final[dict[str, Callable[[str], Writer]]] = {
    "lines": lambda _: as_lines,
    "page": as_page,
    "pages": as_pages,
    "printed": as_printed,
    "list": lambda _: as_list,
}


def make_templates(copies: int, *, first_number: int) -> list[Template]:
    """Files of every source in every way of writing, `copies` of each; ids begin at a number."""
    templates: list[Template] = []
    start = first_number

    def numbers() -> range:
        nonlocal start
        start += ROWS
        return range(start - ROWS, start)

    def dump(make: Callable[[int], dict[str, Any]]) -> tuple[bytes, ...]:
        return tuple(json.dumps(make(n), ensure_ascii=n % 2 == 0).encode() for n in numbers())

    for copy in range(copies):
        hour = f"{PROJECT}_2024-02-{copy % 28 + 1:02d}_{copy % 24}#{first_number + copy}.json"
        for part in range(3):  # most of what a school exports are events
            templates.append(
                Template(
                    f"events-{part}-{first_number + copy}",
                    "json",
                    "raw.events",
                    f"amplitude/{part}",
                    hour,
                    dump(event),
                    as_lines,
                    is_lines=True,
                )
            )
        merges = f"-{PROJECT}_2024-02-{copy % 28 + 1:02d}_{copy % 24}#{first_number + copy}.json"
        templates.append(
            Template(
                f"merges-{first_number + copy}",
                "json",
                "raw.amplitude_merges",
                "amplitude",
                merges,
                dump(merge),
                as_lines,
                is_lines=True,
            )
        )
        for resource, (key, make) in RESOURCES.items():
            for way, write in _PAGED.items():
                name = f"{resource}-{way}-{first_number + copy}"
                templates.append(
                    Template(
                        name,
                        "json",
                        _ZENDESK_TABLES[resource],
                        "zendesk",
                        f"{name}.json",
                        dump(make),
                        write(key),
                        is_lines=way == "lines",
                    )
                )
        for way, write in _PAGED.items():
            name = f"satismeter-{way}-{first_number + copy}"
            templates.append(
                Template(
                    name,
                    "json",
                    "raw.satismeter_responses",
                    "satismeter",
                    f"{name}.json",
                    dump(response),
                    write("responses"),
                    is_lines=way == "lines",
                )
            )
        for survey, (header, row, encoding, delimiter) in SURVEYS.items():
            name = f"{survey}-{first_number + copy}"
            table = as_table(header)
            templates.append(
                Template(
                    name,
                    "csv",
                    "raw.survey_responses",
                    "surveys",
                    f"{name}.csv",
                    tuple(row(n) for n in numbers()),
                    _utf16(table) if encoding == "utf-16" else table,
                    is_lines=True,
                    first_line=2 if header else 1,
                    encoding=encoding,
                    delimiter=delimiter,
                    has_quotes=survey != "tabs",
                )
            )
    return templates


def write_contracts(folder: Path) -> None:
    """Write what the templates are read with."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in CONTRACTS.items():
        (folder / name).write_text(text, encoding="utf-8")
