"""Cases of other systems: an input, a question in their words, and the numbers that come out there.

A case file is a list of cases; a folder of them is loaded into one table that every question reads
through `Case.relation`. What a question becomes in our words is the business of the translators
(`tests.peers.translators`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.dbt_project.harness import School

Rows = Sequence[tuple[Any, ...]]

_TABLE = """
create schema if not exists peers;
create table peers.events (
    case_id varchar, event_id bigint, person_id varchar, distinct_id varchar, event_type varchar,
    event_at timestamp, properties map(varchar, varchar), person_properties map(varchar, varchar),
    person_created_at timestamp
)
"""


class UnsupportedError(Exception):
    """The case asks for something outside of what the macros are for; the message says what."""


@dataclass(frozen=True)
class Case:
    """One case, as its file has it.

    Attributes:
        id: name of the case.
        kind: kind of chart.
        query: the question's parameters in the peer's words.
        expected: the numbers that must come out.
        content: the whole case.
    """

    id: str
    kind: str
    query: Mapping[str, Any]
    expected: Mapping[str, Any]
    content: Mapping[str, Any]

    @property
    def persons(self) -> Sequence[Mapping[str, Any]]:
        """Persons with `id`, `distinct_ids`, `properties` and maybe `created_at`."""
        return self.content.get("persons") or []

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events with `distinct_id`, `event`, `timestamp` and `properties`."""
        return self.content.get("events") or []

    def relation(self, unit: str = "person") -> str:
        """The case's events as a relation for the analytics macros.

        Columns: learner_key, event_id, event_type, event_at (UTC), occurrence (its number among
        the learner's events of the type), person_id, distinct_id, properties and person_properties
        (maps of texts), person_created_at.

        Args:
            unit: what counts as one learner: `person`, `distinct_id`, or an event property.
        """
        key = {"person": "person_id", "distinct_id": "distinct_id"}.get(
            unit, f"properties[{literal(unit)}]"
        )
        return (
            f"(select {key} as learner_key, event_id, event_type, event_at, row_number() over "
            f"(partition by {key}, event_type order by event_at, event_id) as occurrence, "
            "person_id, distinct_id, properties, person_properties, person_created_at "
            "from peers.events "
            f"where case_id = {literal(self.id)} and {key} is not null) as events"
        )


@dataclass(frozen=True)
class Question:
    """A case in our words.

    Attributes:
        queries: SQL with Jinja, such as a call of a macro; each gives a list of rows.
        differences: what of the rows, one list per query, is not as expected.
    """

    queries: Sequence[str]
    differences: Callable[[Sequence[Rows]], list[str]]


Translator = Callable[[Case], Question]


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def jinja(value: str | int | None) -> str:
    """A value as a Jinja literal: any text survives it, quotes and braces included."""
    return "none" if value is None else json.dumps(value)


def call(macro: str, **arguments: str | int | None) -> str:
    """A call of a macro with named arguments."""
    given = ", ".join(f"{name}={jinja(value)}" for name, value in arguments.items())
    return f"{{{{ {macro}({given}) }}}}"


def instant(text: str) -> datetime:
    """A time of a case as a UTC timestamp without zone; one without a zone of its own is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def property_text(value: Any) -> str | None:
    """A property as filters compare it: as text, whatever its type; null is not set."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def load_cases(folder: Path) -> list[Case]:
    """All cases of a folder's files, in order of file name; a repeated id gets its file's name."""
    cases: dict[str, Case] = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for number, case in enumerate(content if isinstance(content, list) else [content]):
            name = str(case.get("id") or f"{path.stem}_{number}")
            name = name if name not in cases else f"{path.stem}/{name}/{number}"
            cases[name] = Case(
                name,
                str(case.get("kind")),
                case.get("query") or {},
                case.get("expected") or {},
                case,
            )
    return list(cases.values())


def insert_events(school: School, cases: Iterable[Case]) -> None:
    """Put the events of all cases into the warehouse, each with its person."""
    rows = [row for case in cases for row in _event_rows(case)]
    with school.connection() as connection:
        connection.execute(_TABLE)
        structure = json.dumps(
            [
                {
                    name: kind
                    for name, kind, *_ in connection.execute("describe peers.events").fetchall()
                }
            ]
        )
        connection.execute(
            "insert into peers.events select row.* from (select unnest(from_json($1, $2)) as row)",
            [json.dumps(rows, default=str), structure],
        )


def _event_rows(case: Case) -> Iterable[Mapping[str, Any]]:
    people = {
        distinct_id: person
        for person in case.persons
        for distinct_id in person.get("distinct_ids") or [person["id"]]
    }
    for number, event in enumerate(case.events):
        distinct_id = event["distinct_id"]
        person = people.get(distinct_id, {"id": distinct_id})
        created = person.get("created_at")
        yield {
            "case_id": case.id,
            "event_id": number,
            "person_id": person["id"],
            "distinct_id": distinct_id,
            "event_type": event["event"],
            "event_at": instant(event["timestamp"]),
            "properties": _texts(event.get("properties")),
            "person_properties": _texts(person.get("properties")),
            "person_created_at": None if created is None else instant(created),
        }


def _texts(properties: Mapping[str, Any] | None) -> Mapping[str, str]:
    texts = {key: property_text(value) for key, value in (properties or {}).items()}
    return {key: text for key, text in texts.items() if text is not None}
