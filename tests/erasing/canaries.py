"""Canaries: strings that occur nowhere else, planted as people's data, and the search for them.

The search reads every byte of every file, in all encodings in which a tool may have written them,
and every value of every table: compression hides strings from a search of bytes.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

# Begins every canary that is a word.
MARK = "zqcanary"


@dataclass(frozen=True)
class Person:
    """Somebody with canaries for all that must not be seen."""

    letter: str
    number: int

    def word(self, kind: str, place: str = "") -> str:
        """A canary of a kind; `place` tells where it was planted."""
        return f"{MARK}{self.letter}{kind}{place}"

    @property
    def user(self) -> str:
        return f"{self.word('user')}-0001"

    @property
    def device(self) -> str:
        return f"{self.word('device')}-77aa"

    @property
    def email(self) -> str:
        return f"{self.word('Mail')}@school.example"

    @property
    def phone(self) -> str:
        return f"+3363998{self.number:04}"

    @property
    def address(self) -> str:
        return f"198.51.100.{200 + self.number}"

    @property
    def amplitude(self) -> int:
        return 880_771_000 + self.number

    @property
    def zendesk(self) -> int:
        return 660_551_000 + self.number

    @property
    def ticket(self) -> int:
        return 440_331_000 + self.number

    @property
    def numbers(self) -> tuple[str, ...]:
        """Canaries that are no words."""
        return self.phone.removeprefix("+"), self.address


ANN = Person("ann", 11)
BEN = Person("ben", 22)
PEOPLE = (ANN, BEN)
# Is in what Ann and Ben are not in, and in names of fields and events; nobody erases her.
CAT = Person("cat", 33)
# Is in names of files alone, which the ledger in the warehouse has to keep.
DEE = Person("dee", 44)
EVERYBODY = (*PEOPLE, CAT, DEE)
EVERYBODY_ELSE = range(1, 13)


def event(person: Person, number: int, **changes: Any) -> dict[str, Any]:
    """A good event with everything that Amplitude exports of a person."""
    at = f"2025-05-0{1 + number % 9} 10:0{number % 10}:00.000000"
    row = {
        "$insert_id": f"{person.letter}-{number}",
        "amplitude_id": person.amplitude,
        "app": 100042,
        "city": person.word("name", "city"),
        "device_id": person.device,
        "event_properties": {"course_id": "c1", "note": person.word("comment", "event")},
        "event_time": at,
        "event_type": "lesson_completed",
        "ip_address": person.address,
        "platform": "Web",
        "server_upload_time": at,
        "session_id": -1,
        "user_id": person.user,
        "user_properties": {
            "email": f" {person.email.upper()}",
            "name": person.word("name"),
            "phone": person.phone,
            "plan": "spark",
        },
        "uuid": f"00000000-0000-4000-8000-{person.number:06}{number:06}",
    }
    return row | changes


def _broken_events(person: Person) -> list[str]:
    """Lines that fail in each way that has DuckDB quote them."""
    good = event(person, 70)
    return [
        json.dumps(good)[:-30],
        json.dumps(good | {"event_time": person.word("name", "time")}),
        json.dumps(good | {"session_id": person.word("name", "session")}),
        json.dumps(good | {"uuid": [person.email]}),
        json.dumps(good | {"user_properties": person.email}),
        json.dumps(good | {"event_type": None, "uuid": None}),
        f"{person.email};{person.user};{person.phone}",
        json.dumps(good).replace('"city"', '"city" "city"'),
    ]


def _lines(*rows: Mapping[str, Any] | str) -> bytes:
    return b"".join(
        (row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows
    )


def amplitude() -> dict[str, bytes]:
    """Hours of events in a zip and on their own, sound and damaged, and merged ids."""
    good = [event(person, number) for person in PEOPLE for number in range(3)]
    shared = {"device_id": "family-tablet", "amplitude_id": 990_000_001}
    family = [
        event(ANN, 10, **shared),
        event(BEN, 15, **shared),
        event(
            ANN,
            9,
            **shared | {"amplitude_id": None},
            user_id=None,
            user_properties={},
            event_time="2025-05-01 08:00:00",
            server_upload_time="2025-05-01 08:00:00",
        ),
        event(
            BEN,
            14,
            **shared | {"amplitude_id": None},
            user_id=None,
            user_properties={},
            event_time="2025-05-06 08:00:00",
            server_upload_time="2025-05-06 08:00:00",
        ),
    ]
    anonymous = [
        event(person, 20, user_id=None, user_properties={"note": person.word("name", "anon")})
        for person in PEOPLE
    ]
    absorbed = [
        event(
            person,
            21,
            user_id=None,
            user_properties={},
            amplitude_id=person.amplitude + 500_000,
            device_id=person.word("device", "old"),
        )
        for person in PEOPLE
    ]
    unplanned = [event(person, 22, event_type="not_in_the_plan") for person in PEOPLE]
    broken = [line for person in PEOPLE for line in _broken_events(person)]
    merges = [
        {
            "amplitude_id": person.amplitude + 500_000,
            "merged_amplitude_id": person.amplitude,
            "merge_server_time": 1_746_100_000_000,
            "note": person.word("name", "merge"),
        }
        for person in PEOPLE
    ]
    bad_merges = [
        f'{{"amplitude_id": "{person.email}", "merged_amplitude_id": {person.amplitude}'
        for person in PEOPLE
    ]
    hour = "100042/100042_2025-05-01_10#{}.json.gz".format
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as output:
        output.writestr(hour(0), gzip.compress(_lines(*good, *family), mtime=0))
        output.writestr(hour(1), gzip.compress(_lines(*anonymous, *absorbed), mtime=0))
        output.writestr(hour(2), gzip.compress(_lines(event(BEN, 30)), mtime=0))
    cut_off = gzip.compress(_lines(*(event(ANN, n) for n in range(40, 46))), mtime=0)[:-20]
    return {
        "amplitude/first.zip": archive.getvalue(),
        "amplitude/100042_2025-05-02_10#0.json.gz": gzip.compress(
            _lines(*unplanned, *broken), mtime=0
        ),
        "amplitude/100042_2025-05-03_10#0.json.gz": cut_off,
        "amplitude/100042_2025-05-04_10#0.json": b"\xff\xfe" + _lines(event(ANN, 50)),
        "amplitude/-100042_2025-05-02_10#0.json.gz": gzip.compress(
            _lines(*merges, *bad_merges), mtime=0
        ),
    }


def zendesk() -> dict[str, bytes]:
    """All resources with people in them: pages, printed pages, lines, and broken ones."""
    at = {"created_at": "2025-05-01T10:00:00Z", "updated_at": "2025-05-02T10:00:00Z"}
    users = [
        {
            "id": person.zendesk,
            "external_id": person.user,
            "email": person.email,
            "name": person.word("name", "zendesk"),
            "phone": person.phone,
            "role": "end-user",
            "locale": "fr",
            **at,
        }
        for person in PEOPLE
    ]
    tickets = [
        {
            "id": person.ticket,
            "requester_id": person.zendesk,
            "subject": person.word("comment", "subject"),
            "description": f"{person.email} {person.phone} {person.word('comment', 'ticket')}",
            "status": "open",
            "via": {"channel": "email", "source": {"from": {"address": person.email}}},
            **at,
        }
        for person in PEOPLE
    ]
    audits = [
        {
            "id": 5_500 + number,
            "ticket_id": person.ticket,
            "author_id": person.zendesk,
            "metadata": {"system": {"ip_address": person.address}},
            "events": [
                {"id": 1, "type": "Create", "field_name": "status", "value": "open"},
                {
                    "id": 2,
                    "type": "Comment",
                    "body": person.word("comment", "audit"),
                    "public": True,
                },
                {"id": 3, "type": "Create", "field_name": "subject", "value": person.email},
            ],
            **at,
        }
        for number, person in enumerate(PEOPLE)
    ]
    changes = [
        {
            "id": 6_500 + number,
            "ticket_id": person.ticket,
            "updater_id": person.zendesk,
            "timestamp": 1_746_100_000,
            "child_events": [
                {"id": 4, "event_type": "Comment", "body": person.word("comment", "change")},
                {"id": 5, "event_type": "Change", "subject": person.email, "previous_value": "x"},
            ],
            **at,
        }
        for number, person in enumerate(PEOPLE)
    ]
    ratings = [
        {
            "id": 7_500 + number,
            "ticket_id": person.ticket,
            "requester_id": person.zendesk,
            "score": "good",
            "comment": person.word("comment", "rating"),
            **at,
        }
        for number, person in enumerate(PEOPLE)
    ]
    calls = [
        {
            "id": 8_500 + number,
            "ticket_id": person.ticket,
            "customer_id": person.zendesk,
            "phone_number": person.phone,
            "direction": "inbound",
            "completion_status": "completed",
            **at,
        }
        for number, person in enumerate(PEOPLE)
    ]
    legs = [
        {
            "id": 9_500 + n,
            "call_id": 8_500 + n,
            "type": "customer",
            "note": p.word("name", "leg"),
            **at,
        }
        for n, p in enumerate(PEOPLE)
    ]
    bad_user = [
        f'{{"id": "{person.email}", "updated_at": "{person.word("name", "when")}", '
        f'"external_id": "{person.user}"}}'
        for person in PEOPLE
    ]
    cut_page = json.dumps({"tickets": [*tickets, tickets[0] | {"id": person_text(ANN)}]})[:-40]
    # Somebody else's ticket that names her.
    named = tickets[1] | {"id": BEN.ticket + 1, "description": f"as {ANN.email} said"}
    return {
        "zendesk/users.json": _lines({"users": users, "count": 2}),
        "zendesk/users_lines.json": _lines(*bad_user, *(json.dumps(users[0])[:-25],)),
        "zendesk/tickets.json": json.dumps({"tickets": [*tickets, named]}, indent=1).encode(),
        "zendesk/tickets_cut.json": cut_page.encode(),
        "zendesk/ticket_audits.json": _lines({"audits": audits}),
        "zendesk/ticket_events.json.gz": gzip.compress(_lines({"ticket_events": changes}), mtime=0),
        "zendesk/satisfaction_ratings.json": _lines(*ratings),
        "zendesk/calls.json": _lines({"calls": calls}),
        "zendesk/legs.json": _lines({"legs": legs}),
    }


def person_text(person: Person) -> str:
    """Where a number should stand."""
    return person.word("name", "id")


def surveys() -> dict[str, bytes]:
    """Survey answers, coaches' entries and Satismeter's responses; broken ones among them."""
    nps = (
        "#,Last update (UTC),E-mail,Plan,Course,Language,Channel,"
        "How likely are you to recommend us?,Why?,Phone\n"
    )
    rows = [
        f"r{number}{person.letter},0{number + 1}.05.2025 10:00,{person.email},Spark,c1,en,E-mail,9,"
        f'"It was {person.word("comment", "survey")},\nall of it",{person.phone}\n'
        for person in PEOPLE
        for number in range(2)
    ]
    broken = [
        f"b{person.letter},not a date {person.word('name', 'date')},{person.email},"
        "Spark,c1,en,,9,,\n"
        for person in PEOPLE
    ] + [f'c{person.letter},01.05.2025 10:00,"{person.email},Spark\n' for person in PEOPLE]
    named = f'd,03.05.2025 10:00,{BEN.email},Spark,c1,en,E-mail,8,"Ask {ANN.email}",\n'
    coaches = (
        "Entry,Entered at,Learner number,Learner e-mail,Kind,Outcome,Outcome date,"
        "Learner credits the school,Would not have happened without the training,Notes\n"
    )
    entries = [
        f"e{learner},02/05/2025 10:00,L{learner},,outcome,New job,2024-03-01,yes,,\n"
        for learner in EVERYBODY_ELSE
    ] + [
        f"e{person.letter},02/05/2025 10:00,{person.user},,outcome,New job,2024-03-01,yes,,"
        f"{person.word('comment', 'coach')} {person.phone}\n"
        for person in PEOPLE
    ]
    responses = [
        {
            "id": f"s{person.letter}",
            "created": "2025-05-01T10:00:00Z",
            "rating": 9,
            "feedback": f"{person.word('comment', 'satismeter')} {person.email} {person.phone}",
            "user": {
                "id": person.word("device", "visitor"),
                "userId": person.user,
                "email": person.email,
                "name": person.word("name", "satismeter"),
                "traits": {"plan": "spark", "phone": person.phone},
            },
        }
        for person in PEOPLE
    ]
    bad = [
        responses[n] | {"created": f"{p.word('name', 'created')}", "id": f"t{p.letter}"}
        for n, p in enumerate(PEOPLE)
    ]
    return {
        "surveys/nps_quarterly_1.csv": (nps + "".join([*rows, *broken, named])).encode(),
        "surveys/nps_quarterly_2.csv": (
            nps + rows[0].replace("r0", "w0") + rows[2].replace("r0", "w0")
        ).encode("utf-16"),
        "coaches/coach_entries_1.csv": (coaches + "".join(entries)).encode(),
        "satismeter/responses.json": json.dumps({"responses": [*responses, *bad]}).encode(),
        "satismeter/cut.json": _lines(json.dumps(responses[0])[:-30]),
    }


def _broken(good: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A row whose id is none, and one that is cut off."""
    return dict(good) | {"id": CAT.email}, json.dumps(good)[:-7]


def elsewhere() -> dict[str, bytes]:
    """The sources that Ann and Ben are not in, and what is broken in the others."""
    at = {"created_at": "2025-05-01T10:00:00Z", "updated_at": "2025-05-02T10:00:00Z"}
    name = CAT.word("name", "zendesk")
    good: dict[str, dict[str, Any]] = {
        "organizations": {"id": 1, "name": name, "notes": CAT.email, **at},
        "ticket_metric_events": {
            "id": 2,
            "ticket_id": CAT.ticket,
            "metric": "reply_time",
            "instance_id": 1,
            "type": "apply_sla",
            "time": at["created_at"],
            "sla": {"target": 60, "policy": {"id": 3, "title": f"{name} {CAT.phone}"}},
        },
        "sla_policies": {
            "id": 3,
            "title": "Paid first",
            "description": f"{name} {CAT.email}",
            "policy_metrics": [{"priority": "high", "metric": "reply_time", "target": 60}],
            **at,
        },
        "schedules": {"id": 4, "name": name, "time_zone": "Paris", "intervals": [], **at},
        "holidays": {
            "id": 5,
            "schedule_id": 4,
            "name": f"{name} {CAT.phone}",
            "start_date": "2025-12-24",
            "end_date": "2025-12-24",
        },
        "ticket_audits": {
            "id": 6,
            "ticket_id": CAT.ticket,
            "author_id": CAT.zendesk,
            "metadata": {"system": {"ip_address": CAT.address, "client": CAT.device}},
            "events": [{"id": 1, "type": "Comment", "body": CAT.word("comment", "audit")}],
            **at,
        },
        "ticket_events": {
            "id": 7,
            "ticket_id": CAT.ticket,
            "updater_id": CAT.zendesk,
            "timestamp": 1_746_100_000,
            "child_events": [{"id": 4, "event_type": "Comment", "body": CAT.email}],
            **at,
        },
        "satisfaction_ratings": {
            "id": 8,
            "ticket_id": CAT.ticket,
            "score": "good",
            "comment": CAT.word("comment", "rating"),
            **at,
        },
        "calls": {"id": 9, "phone_number": CAT.phone, "direction": "inbound", **at},
        "legs": {"id": 10, "call_id": 9, "type": "agent", "note": name, **at},
    }
    head = (
        "Response ID,Invited on,Status,Answered at (UTC),Learner number,E-mail,Language,"
        "How likely are you to recommend the school? (0-10),Comment,What changed?,Since when?,"
        "Did the school help?,Would it have happened without the school?,"
        '"Have you looked for work since you graduated, or found some?",'
        '"Your income a year, before (EUR)","Your income a year, now (EUR)",'
        '"Hours a week, before","Hours a week, now",'
        f"Has your professional situation changed since last year?,Of {CAT.email}\n"
    )
    answered = f"2025-05-01,answered,2025-05-02 10:00:00,{CAT.user},{CAT.email},fr,9,"
    alumni = [
        f"a1,{answered}{CAT.word('comment', 'alumni')},{CAT.email},01/06/2024,Yes,No,Yes,"
        f"20000,30000,35,35,Yes,{CAT.phone}\n",
        f"a2,2025-05-01,answered,{CAT.word('name', 'when')},{CAT.user},{CAT.email}"
        ",fr,9,,,,,,,,,,,No,\n",
        f'a3,{answered}"{CAT.word("comment", "open")},,,,,,,,,,No,\n',
    ]
    contracts = (
        "N° de contrat;Signé le;N° d'apprenant;E-mail de l'apprenant;Type de contrat;Début;"
        "Signé par\n"
        f"{CAT.word('name', 'contract')};01/05/2025;{CAT.user};{CAT.email};CDI;01/06/2024;{name}\n"
        f"c2;{CAT.word('name', 'signed')};{CAT.user};{CAT.email};CDI;01/06/2024;{CAT.phone}\n"
    )
    coaches = (
        "Entry,Entered at,Learner number,Learner e-mail,Kind,Outcome,Outcome date,"
        "Learner credits the school,Would not have happened without the training,Notes\n"
        f"k1,{CAT.word('name', 'entered')},{CAT.user},{CAT.email},outcome,New job,2024-06-01,,,\n"
        f"k2,02/05/2025 10:00,{CAT.user},{CAT.email},{CAT.phone}\n"
        f'k3,02/05/2025 10:00,"{CAT.user},{CAT.email},outcome,New job,2024-06-01,,,\n'
    )
    return {
        **{f"zendesk/{name}_cat.json": _lines(row, *_broken(row)) for name, row in good.items()},
        "surveys/alumni_survey_2025.csv": (head + "".join(alumni)).encode(),
        "contracts/contracts_1.csv": contracts.encode("latin-1"),
        "coaches/coach_entries_2.csv": coaches.encode(),
    }


def names() -> dict[str, bytes]:
    """An address and a number as names: of events, properties, plans, projects and files."""
    digits = CAT.phone.removeprefix("+")
    named: list[dict[str, Any]] = [
        {"event_type": f"mail to {CAT.email}"},
        {"event_type": f"call {CAT.phone}"},
        {"app": digits},
        {"event_properties": {CAT.email: 1, f"of {CAT.phone}": {CAT.email: 1}}},
        {"user_properties": {"plan": f"{CAT.email} monthly", CAT.email: 1, digits: 1}},
        {"user_properties": {"plan": digits}, CAT.email: 1},
    ]
    # So many that of all files this one is looked into for properties.
    events = [event(CAT, n, **named[n % len(named)]) for n in range(100, 130)]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as output:
        output.writestr(f"{DEE.email}/100042_2025-05-06_10#0.json", _lines(event(CAT, 7), "{"))
    header = surveys()["surveys/nps_quarterly_1.csv"].splitlines(keepends=True)[0]
    row = f",01.05.2025 10:00,{CAT.email},Spark,c1,en,E-mail,9,{CAT.word('comment', 'file')},\n"
    return {
        "amplitude/100042_2025-05-05_10#0.json": _lines(*events),
        f"amplitude/of {DEE.phone}/{DEE.email}.zip": archive.getvalue(),
        f"surveys/nps_quarterly_{DEE.email}.csv": header + b"n1" + row.encode() + b"n2,never\n",
        f"surveys/nps_quarterly_{DEE.phone}.csv": header + b"n3" + row.encode(),
        f"surveys/nps_quarterly_copy of {DEE.email}.csv": header + b"n3" + row.encode(),
        f"papers/{DEE.email} {DEE.phone}.docx": CAT.email.encode(),
    }


def everything() -> dict[str, bytes]:
    """All exports, by their paths in the landing folder."""
    return {**amplitude(), **zendesk(), **surveys(), **elsewhere(), **names()}


def plant(landing: Path, files: Mapping[str, bytes] | None = None) -> None:
    """Write the exports."""
    for name, content in (files or everything()).items():
        path = landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


# -- searching -----------------------------------------------------------------------------------


def forms(text: str) -> set[bytes]:
    """A string in all encodings in which a tool may have written it, in lower case."""
    raw = text.encode()
    found = {raw, text.encode("utf-16-le"), text.encode("utf-16-be")}
    for written in (raw, raw.upper()):
        found.add(written.hex().encode())
        for shift in range(3):
            # The first and last letters hold bits of what stands beside it.
            letters = base64.b64encode(b"\0" * shift + written)
            found.add(letters[4 if shift else 0 : -4])
    return found


WORDS = {form.lower() for form in forms(MARK)}


def numbers_of(*people: Person) -> set[bytes]:
    """Numbers and addresses of people, also as pairs of digits, in all encodings."""
    return {
        form.lower()
        for person in people
        for number in person.numbers
        for form in (*forms(number), *forms(" ".join(re.findall("..?", number))))
    }


NUMBERS = numbers_of(*EVERYBODY)
_AROUND = 60


def find_in_bytes(content: bytes, words: set[bytes] | None = None) -> set[str]:
    """What stands around each canary in some bytes; also within gzip and zlib streams in them."""
    found: set[str] = set()
    folded = content.lower()
    for form in (WORDS | NUMBERS) if words is None else words:
        position = folded.find(form)
        while position >= 0:
            around = content[position : position + len(form) + _AROUND]
            found.add(around.replace(b"\0", b"").decode("utf-8", errors="replace"))
            position = folded.find(form, position + 1)
    position = content.find(b"\x1f\x8b\x08")
    while position >= 0:
        inflated = b""
        with suppress(zlib.error):
            inflated = zlib.decompressobj(31).decompress(content[position:])
        found |= find_in_bytes(inflated, words)
        position = content.find(b"\x1f\x8b\x08", position + 1)
    return found


def find_in_file(path: Path, words: set[bytes] | None = None) -> set[str]:
    """Canaries in the bytes of a file and, where it is a database or an archive, in its values."""
    content = path.read_bytes()
    found = find_in_bytes(content, words)
    if content[8:12] == b"DUCK":
        values = _duckdb_values(path)
    elif content.startswith(b"SQLite format 3"):
        values = _sqlite_values(path)
    elif path.suffix == ".parquet":
        with duckdb.connect() as connection:
            values = list(_rows(connection, f"from read_parquet('{path}') as t"))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                found |= find_in_bytes(archive.read(entry), words)
        return found
    else:
        return found
    for value in values:
        found |= find_in_bytes(value.encode(), words)
    return found


def _duckdb_values(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        told = [
            row
            for schema, table in tables
            for row in _rows(connection, f'from "{schema}"."{table}" as t')
        ]
        catalog = "select sql || coalesce(comment, '') from duckdb_{}() where not internal"
        for kind in ("tables", "views"):
            told += [row for (row,) in connection.execute(catalog.format(kind)).fetchall() if row]
    return told


def _rows(connection: duckdb.DuckDBPyConnection, source: str) -> Iterator[str]:
    for (row,) in connection.execute(f"select t::varchar {source}").fetchall():
        yield row


def _sqlite_values(path: Path) -> list[str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        return [
            str(row) for (name,) in names for row in connection.execute(f'select * from "{name}"')
        ]


def search(*places: Path, words: set[bytes] | None = None) -> dict[str, set[str]]:
    """Canaries by file, below some folders; links are followed to files once."""
    found: dict[str, set[str]] = {}
    seen: set[Path] = set()
    for place in places:
        for path in sorted(place.rglob("*")):
            real = path.resolve()
            if real.is_file() and real not in seen:
                seen.add(real)
                if here := find_in_file(real, words):
                    found[str(path.relative_to(place.parent))] = here
    return found


def words_of(person: Person) -> set[bytes]:
    """What to search for of one person alone."""
    told = [f"{MARK}{person.letter}", *person.numbers]
    return {form.lower() for text in told for form in forms(text)}
