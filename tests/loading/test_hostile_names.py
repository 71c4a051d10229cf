"""Names and values from files never become code, patterns or paths, whatever they hold."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.contracts import read_contracts
from orchestration.landing import take_inventory
from orchestration.loading import connect, load_landing, stamp_run
from orchestration.loading.show import show_line
from orchestration.settings import Settings
from tests.loading.exports import PROJECT, event, hour_name, lines, write_zip

HOSTILE = (
    "o'clock",
    'say "hi"',
    "x'; drop schema raw cascade; --",
    'x"; drop schema raw cascade; --',
    "'||(select 1)||'",
    "back\\slash\\' \\n",
    "{{ 1/0 }}{% raw %}{# #}",
    "$$ $1 $name ${x} `id`",
    "100%s %(x)s %d",
    "*?[a-z]",
    "a::b",
    "tab\there",
    "line\nbreak",
    "return\rhere",
    "comma, semicolon; brace} bracket]",
    ") varchar) -- /*",
    "=cmd()",
    "ünï ☃ \u202e",
    "c:\\..\\..\\etc",
)
SECRET = b"a secret of the tests"


class School:
    """A data folder with contracts and exports, whose own name is hostile, too."""

    def __init__(self, folder: Path) -> None:
        root = folder / "it's {{ a }} [school] 100% $x; ☃"
        self.settings = Settings(data_dir=root / "data", sources_dir=root / "sources")
        self.settings.sources.mkdir(parents=True)
        self.settings.landing.mkdir(parents=True)

    def contract(self, name: str, document: dict[str, Any]) -> None:
        (self.settings.sources / name).write_text(yaml.safe_dump(document, allow_unicode=True))

    def load(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """Load, and ask the raw tables."""
        with connect(self.settings) as connection:
            load_landing(
                connection,
                self.settings,
                contracts=read_contracts(self.settings.sources),
                inventory=take_inventory(self.settings.landing),
                run_id="run",
                load_number=stamp_run(connection, "run"),
                secret=SECRET,
            )
            return [connection.execute(query).fetchall() for query in queries]


@pytest.fixture
def school(tmp_path: Path) -> School:
    school = School(tmp_path)
    school.contract(
        "plan.yml",
        {
            "kind": "tracking_plan",
            "name": HOSTILE[2],
            "projects": [PROJECT],
            "plans": dict.fromkeys(HOSTILE, "SPARK"),
            "roles": {
                "plan": ["user.plan"],
                "course_id": [f"event.{name}" for name in HOSTILE],
                "credited": ["event.credited"],
            },
            "yes": list(HOSTILE),
            "exclude": [{"property": f"user.{HOSTILE[2]}", "equals": list(HOSTILE)}],
            "ignore": [f"user.{name}" for name in HOSTILE],
            "events": {
                name: {"meanings": ["learning"], "description": name, "keep": list(HOSTILE)}
                for name in HOSTILE
            },
        },
    )
    return school


def hostile_events(*, broken: bool) -> bytes:
    """An event of each name, whose properties, plan and answers are named and worded so, too."""
    rows: list[Any] = [
        event(
            number,
            event_type=name,
            event_properties={
                **{other: f"{number} {other}" for other in HOSTILE},
                "credited": name,
            },
            user_properties={"plan": name, HOSTILE[2]: name if number < 3 else "nobody"},
            user_id=name,
            device_id=name,
            **{"$insert_id": name, "city": name},
        )
        for number, name in enumerate(HOSTILE)
    ]
    rows.append(event(40, event_type="not planned'; drop schema raw cascade; --"))
    return lines([*rows, *(["{broken"] if broken else [])])


@pytest.mark.parametrize("broken", [False, True], ids=["sound file", "line by line"])
def test_events_and_properties_keep_the_names_they_have(school: School, broken: bool) -> None:
    folder = school.settings.landing / HOSTILE[2] / "*?[a-z]"
    folder.mkdir(parents=True)
    (folder / hour_name(13)).write_bytes(gzip.compress(hostile_events(broken=broken)))

    events, files, unknown, planned = school.load(
        "select event_type, properties, course_id, plan, credited, is_excluded from raw.events "
        "order by event_id",
        "select path, rows_in, loaded, quarantined, not_in_plan from raw.loaded_files",
        "select field from raw.unknown_fields where field like '%not planned%'",
        "select event_type, description from main.planned_events order by all",
    )

    assert [row[0] for row in events] == list(HOSTILE)
    for number, row in enumerate(events):
        assert row[1] == {name: f"{number} {name}" for name in HOSTILE}
        assert row[2:] == (f"{number} {HOSTILE[0]}", "SPARK", "yes", number < 3)
    name = f"{HOSTILE[2]}/*?[a-z]/{hour_name(13)}"
    assert files == [(name, len(HOSTILE) + 1 + broken, len(HOSTILE), int(broken), 1)]
    assert len(unknown) == 1
    assert planned == sorted((name, name) for name in HOSTILE)
    if broken:
        assert show_line(school.settings.landing, name, len(HOSTILE) + 2) == "{broken"


def test_files_and_members_of_zips_keep_the_names_they_have(school: School) -> None:
    names = []
    for number, name in enumerate(HOSTILE):
        row = event(number, event_type=HOSTILE[0])
        path = school.settings.landing / f"{number}{name.replace('::', '').replace('/', '')}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            member = f"{name}/{hour_name(number)}"
            archive.writestr(zipfile.ZipInfo(member), gzip.compress(lines([row])))
            names.append(f"{path.name}::{archive.namelist()[0]}")

    for _ in range(2):  # the second load finds everything as it was
        paths, rows = school.load(
            "select path, status, loaded from raw.loaded_files order by path",
            "select count(*), count(distinct event_id) from raw.events",
        )

        assert paths == [(name, "loaded", 1) for name in sorted(names)]
        assert rows == [(len(HOSTILE), len(HOSTILE))]


def test_a_file_cannot_pass_itself_off_as_the_member_of_a_zip(school: School) -> None:
    archive = write_zip(school.settings.landing / "a.zip", {1: [event(1, event_type=HOSTILE[0])]})
    impostor = school.settings.landing / f"{archive.name}::{PROJECT}"
    impostor.mkdir()
    row = event(2, event_type=HOSTILE[0])
    (impostor / hour_name(1)).write_bytes(gzip.compress(lines([row])))
    write_zip(school.settings.landing / "x::b.zip", {1: [row]})

    for _ in range(2):
        rows, files = school.load(
            "select count(*) from raw.events",
            "select path, status, reason from raw.loaded_files order by path",
        )

        assert rows == [(1,)]
        reason = "its path holds `::`, which stands between a zip and its members; rename it"
        assert files == [
            (f"a.zip%3A%3A{PROJECT}/{hour_name(1)}", "unreadable", reason),
            (f"a.zip::{PROJECT}/{hour_name(1)}", "loaded", None),
            ("x%3A%3Ab.zip", "unreadable", reason),
        ]


def test_a_name_that_is_no_text_costs_its_file_and_not_the_run(school: School) -> None:
    folder = os.fsencode(school.settings.landing)
    for name in (b"caf\xe9.csv", b"caf\xe9.zip"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"x")
    write_zip(school.settings.landing / "a.zip", {1: [event(1, event_type=HOSTILE[0])]})

    rows, files = school.load(
        "select count(*) from raw.events",
        "select path, status, reason from raw.loaded_files where status <> 'loaded' order by path",
    )

    assert rows == [(1,)]
    reason = "its path is not UTF-8; rename it"
    assert files == [
        (r"caf\xe9.csv", "unreadable", reason),
        (r"caf\xe9.zip", "unreadable", reason),
    ]


def test_surveys_keep_headers_answers_and_names(school: School) -> None:
    school.contract(
        "survey.yml",
        {
            "kind": "survey_mapping",
            "survey": HOSTILE[2],
            "source": "survey",
            "files": ["surveys/*.csv"],
            "timezone": "UTC",
            "columns": {
                "response_id": {"header": "id"},
                "submitted_at": {"header": "at", "formats": ["%Y-%m-%d'%H", "%Y-%m-%d"]},
                "language": {"constant": "x'; drop schema raw cascade; --"},
                "method": {"header": "why", "values": {name: name for name in HOSTILE}},
                "course_id": {"header": HOSTILE[0]},
                "outcome_type": {"header": "why", "values": {HOSTILE[2]: "new_job"}},
            },
            "keep": {f"kept_{number}": {"header": name} for number, name in enumerate(HOSTILE)},
            "report_when": {"header": "why", "equals": list(HOSTILE)},
        },
    )

    def quoted(value: str) -> str:
        return '"' + value.replace('"', '""') + '"'

    header = ",".join(map(quoted, ["id", "at", "why", *HOSTILE]))
    records = [
        ",".join(map(quoted, [name, "2024-01-05", name, *(f"{number} {n}" for n in HOSTILE)]))
        for number, name in enumerate(HOSTILE)
    ]
    for name in ("it's [a] 100%.csv", "*?.csv", "x'; drop schema raw cascade; --.csv"):
        path = school.settings.landing / "surveys" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes("\n".join([header, *records, f"{name},never", ""]).encode())

    rows, files, quarantined = school.load(
        "select survey, language, method, course_id, answers from raw.survey_responses "
        "where duplicate_reason is null order by line_number",
        "select path, rows_in, loaded, duplicates, quarantined from raw.loaded_files order by path",
        "select distinct reason from raw.quarantined_rows",
    )

    assert len(rows) == len(HOSTILE)
    for number, row in enumerate(rows):
        assert row[:4] == (
            HOSTILE[2],
            "x'; drop schema raw cascade; --",
            HOSTILE[number],
            f"{number} {HOSTILE[0]}",
        )
        assert row[4] == {
            f"kept_{position}": f"{number} {name}" for position, name in enumerate(HOSTILE)
        }
    assert [file[1] for file in files] == [len(HOSTILE) + 1] * 3
    assert sum(file[2] for file in files) == len(HOSTILE)
    assert [file[4] for file in files] == [1, 1, 1]
    assert len(quarantined) == 1


def test_courses_and_pages_of_support_keep_what_they_say(school: School) -> None:
    courses = "course_id,title,language\n" + "".join(
        f'{number},"{name.replace(chr(34), chr(34) * 2)}",en\n'
        for number, name in enumerate(HOSTILE)
    )
    (school.settings.sources / "courses.csv").write_bytes(courses.encode())
    tickets = [
        {
            "id": number,
            "created_at": "2024-01-05T10:00:00Z",
            "updated_at": "2024-01-05T10:00:00Z",
            "generated_timestamp": 1704448800,
            "status": name,
            "requester_id": 7,
            "via": {"channel": name},
            name: name,
        }
        for number, name in enumerate(HOSTILE, 1)
    ]
    folder = school.settings.landing / "zendesk" / HOSTILE[2]
    folder.mkdir(parents=True)
    (folder / "tickets'; --.json").write_text(json.dumps({"tickets": tickets, HOSTILE[2]: 1}))

    titles, files, channels = school.load(
        "select title from main.planned_courses order by course_id::integer",
        "select status, rows_in, loaded, quarantined from raw.loaded_files",
        "select count(*) from raw.zendesk_tickets",
    )

    assert [title for (title,) in titles] == [name.strip() for name in HOSTILE]
    ((status, rows_in, loaded, set_aside),) = files
    assert (status, rows_in) == ("loaded", len(HOSTILE))
    assert (loaded + set_aside, channels) == (len(HOSTILE), [(loaded,)])
