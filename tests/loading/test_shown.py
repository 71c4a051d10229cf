"""What exports name as they like shows nobody's address or number."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.loading import checks
from orchestration.loading.shown import ADDRESS_IN_PATH, NUMBER_IN_PATH, mask_name, shown_path
from orchestration.settings import DBT_PROJECT_DIR
from tests.loading.exports import event, write_hour
from tests.loading.test_load import School

EMAIL = "anna.b@school.example"
NUMBERS = ("+33 6 39 98 00 11", "33639980011")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("event_type: heartbeat", "event_type: heartbeat"),
        (f"event_type: mail to {EMAIL}", "event_type: mail to [e-mail]"),
        ("event_type: seen 2024-05-01", "event_type: seen 2024-05-01"),
        ("event_type: called 33639980011", "event_type: called [number]"),
        (f"event_properties.{EMAIL}", "event_properties.[e-mail]"),
        ("user_properties.utm.source", "user_properties.utm.source"),
        ("user_properties.\uff10\uff16\uff13\uff19\uff19\uff18\uff10", "user_properties.[phone]"),
        ("app: 100042", "app: 100042"),
        ("app: 33639980011", "app: [number]"),
        (f"plan: {EMAIL} monthly", "plan: [e-mail] monthly"),
        ("plan: +33 6 39 98 00 11", "plan: [phone]"),
    ],
)
def test_a_name_keeps_what_tells_nothing_about_anybody(name: str, shown: str) -> None:
    assert mask_name(name) == shown


def test_names_are_masked_and_added_up_before_they_are_stored(tmp_path: Path) -> None:
    school = School(tmp_path)
    write_hour(
        school.amplitude,
        [
            event(1, event_type=f"mail to {EMAIL}"),
            event(2, event_type="mail to ben@school.example"),
            event(3, app=NUMBERS[1]),
            event(4, user_properties={"plan": f"of {EMAIL}", f"seen {NUMBERS[1]}": 1}),
            event(5, event_properties={EMAIL: 1, "shoe_size": 44}),
        ],
    )

    school.load()

    assert school.query("select field, occurrences from raw.unknown_fields order by field") == [
        ("app: [number]", 1),
        ("event_properties.[e-mail]", 1),
        ("event_properties.shoe_size", 1),
        ("event_type: mail to [e-mail]", 2),
        ("plan: of [e-mail]", 1),
        ("user_properties.seen [number]", 1),
    ]


def test_checks_show_paths_without_addresses_and_numbers(tmp_path: Path) -> None:
    school = School(tmp_path)
    folder = school.amplitude / f"of {EMAIL}"
    write_hour(folder, [event(1), event(2, event_time="never")])
    (folder / f"{NUMBERS[0]}.docx").write_bytes(b"notes")

    school.load()

    with school.warehouse() as connection:
        connection.execute("update raw.loaded_files set rows_in = rows_in + 1")
        paths = [
            *(found.path for found in checks.quarantine_reasons(connection)),
            *(found.path for found in checks.ledger_imbalances(connection)),
            *(found.path for found in checks.unread_files(connection)),
        ]
    name = "amplitude/of [e-mail]/4242_2024-01-01_13#0.json.gz"
    docx = "amplitude/of [e-mail]/[phone].docx"
    assert paths == [name, docx, name, docx]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("amplitude/a.zip::100042/100042_2026-05-01_3#0.json.gz", None),
        ("surveys/nps 01052026101530.csv", None),
        ("exports/000000000012_1714557600.json", None),
        ("utc+0200/x.csv", None),
        (f"a/{EMAIL}/x.csv", "a/[e-mail]/x.csv"),
        (f"nps_{EMAIL}.json.gz", "[e-mail].json.gz"),
        ("a@x.org-b@y.org.CSV", "[e-mail].CSV"),
        ("a%40x.org.zip::b\uff20y.org", "[e-mail].zip::[e-mail]"),
        ("0639980011_0639980022-0639980033.csv", "[phone]_[phone]-[phone].csv"),
        ("of +33 6 39 98 00 11.csv", "of [phone].csv"),
    ],
)
def test_a_path_keeps_what_tells_nothing_about_anybody(path: str, shown: str | None) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(f"select {shown_path('$1')}", [path]).fetchone()
    assert found == (shown or path,)


def test_dbt_masks_paths_by_the_same_patterns() -> None:
    """Else a line of the published reports would name a file that the checks call otherwise."""
    macro = (DBT_PROJECT_DIR / "macros" / "people" / "shown_path.sql").read_text()
    assert f'"{ADDRESS_IN_PATH}"' in macro
    assert f'"{NUMBER_IN_PATH}"' in macro
