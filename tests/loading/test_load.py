"""The load of Amplitude exports: exactly once, and every row accounted for."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contracts import read_contracts
from orchestration.errors import LandingError
from orchestration.landing import take_inventory
from orchestration.loading import LoadReport, amplitude, as_of, connect, load_landing, stamp_run
from orchestration.loading.load import _Load
from orchestration.loading.pseudonyms import keyed_uuid
from orchestration.settings import Settings
from tests.loading.exports import TRACKING_PLAN, event, hour_name, lines, write_hour, write_zip

SECRET = b"a secret of the tests"


class School:
    """A data folder with a landing folder, and loads into it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data", sources_dir=folder / "sources")
        self.settings.sources.mkdir(parents=True)
        self.plan(TRACKING_PLAN)
        self.amplitude = self.settings.landing / "amplitude"
        self.loads = 0

    def plan(self, text: str) -> None:
        (self.settings.sources / "plan.yml").write_text(text)

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(self.settings) as connection:
            yield connection

    def load(self, **changes: Any) -> LoadReport:
        self.loads += 1
        run_id = f"run-{self.loads}"
        with self.warehouse() as connection:
            load_number = stamp_run(connection, run_id)
            return load_landing(
                connection,
                self.settings.model_copy(update=changes),
                contracts=read_contracts(self.settings.sources),
                inventory=take_inventory(self.settings.landing),
                run_id=run_id,
                load_number=load_number,
                secret=SECRET,
            )

    def query(self, sql: str) -> list[Any]:
        with self.warehouse() as connection:
            return connection.execute(sql).fetchall()

    def ledger(self) -> list[Any]:
        return self.query(
            "select path, status, rows_in, loaded, duplicates, quarantined, not_in_plan "
            "from raw.loaded_files order by path"
        )

    def events(self) -> list[Any]:
        """All that loading says of events, without the run ids."""
        return self.query("select * from raw.events order by all")


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


@pytest.fixture(params=["joined", "alone"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read joined, large ones alone: both ways must give the same."""
    if request.param == "alone":
        monkeypatch.setattr("orchestration.loading.scratch._SMALL_STORED_BYTES", 0)


def test_zips_and_bare_files_are_loaded_with_their_members(school: School) -> None:
    write_zip(school.amplitude / "january.zip", {13: [event(1), event(2)], 14: [event(3)]})
    write_hour(school.amplitude, [event(4)], hour=15)
    report = school.load()
    assert (report.new_files, report.loaded, report.rows_in) == (3, 4, 4)
    assert school.ledger() == [
        ("amplitude/4242_2024-01-01_15#0.json.gz", "loaded", 1, 1, 0, 0, 0),
        ("amplitude/january.zip::4242/4242_2024-01-01_13#0.json.gz", "loaded", 2, 2, 0, 0, 0),
        ("amplitude/january.zip::4242/4242_2024-01-01_14#0.json.gz", "loaded", 1, 1, 0, 0, 0),
    ]
    hours = school.query("select hour(exported_hour) from raw.loaded_files order by 1")
    assert hours == [(13,), (14,), (15,)]


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("transactions", [1, 2])
def test_a_zip_of_which_a_kill_left_some_files_unloaded_is_looked_into_again(
    school: School, monkeypatch: pytest.MonkeyPatch, transactions: int, changed: bool
) -> None:
    """Its files are loaded in several transactions, and no ledger knows of those that are left."""
    monkeypatch.setattr("orchestration.loading.load._BATCH_FILES", 1)
    archive = school.amplitude / "january.zip"
    if changed:
        write_zip(archive, {13: [event(9)]})
        school.load()
    write_zip(archive, {13: [event(1)], 14: [event(2), event(3)], 15: [event(4)]})
    begun = 0
    load = _Load.replace

    def killed(self: _Load, *arguments: Any) -> None:
        nonlocal begun
        if begun == transactions:
            raise KeyboardInterrupt
        begun += 1
        load(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_Load, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            school.load()
    assert school.query("select count(*) from raw.loaded_files") == [(transactions,)]

    report = school.load()

    assert report.unchanged_files == transactions
    assert [row[2:4] for row in school.ledger()] == [(1, 1), (2, 2), (1, 1)]
    assert school.load().unchanged_files == 3
    hashes = school.query("select distinct landed_hash from raw.loaded_files")
    assert hashes == [(hashlib.sha256(archive.read_bytes()).hexdigest(),)]


@pytest.mark.usefixtures("each_way")
def test_equity_attributes_are_read_where_the_plan_says(school: School) -> None:
    write_hour(
        school.amplitude,
        [
            event(1, region="Bretagne", user_properties={"gender": " woman ", "disability": "no"}),
            event(2, event_properties={"gender": "man"}, user_properties={"gender": "woman"}),
            event(3, user_properties={"gender": " "}),
        ],
    )
    school.load()
    assert school.query(
        "select gender, disability, region, prior_education from raw.events order by event_at"
    ) == [("woman", None, "Bretagne", None), ("man", None, None, None), (None, None, None, None)]


@pytest.mark.usefixtures("each_way")
def test_a_row_keeps_keys_and_what_the_plan_names_and_nothing_else(school: School) -> None:
    write_hour(school.amplitude, [event(1, ip_address="203.0.113.9", session_id=77)])
    school.load()
    with school.warehouse() as connection:
        row = connection.execute(
            "select user_key, device_key, amplitude_key, email_key, plan, course_id, session_id, "
            "properties from raw.events"
        ).fetchone()
    assert row == (
        keyed_uuid(SECRET, "learner-1"),
        keyed_uuid(SECRET, "device:device-1"),
        keyed_uuid(SECRET, "amplitude:1001"),
        keyed_uuid(SECRET, "email:learner1@example.org"),
        "SPARK",
        "c1",
        77,
        {"lesson_id": "l1"},
    )
    fields = school.query("select field from raw.unknown_fields")
    assert fields == []


def test_a_second_load_does_nothing(school: School) -> None:
    write_zip(school.amplitude / "january.zip", {13: [event(1), event(2)]})
    school.load()
    before = school.query("from raw.loaded_files")
    report = school.load()
    assert (report.new_files, report.changed_files, report.unchanged_files) == (0, 0, 1)
    assert school.query("from raw.loaded_files") == before


def test_a_touched_file_with_the_same_bytes_is_not_loaded_again(school: School) -> None:
    path = write_hour(school.amplitude, [event(1)])
    school.load()
    path.touch()
    report = school.load()
    assert (report.changed_files, report.unchanged_files) == (0, 1)
    assert school.query("select modified_ns from raw.loaded_files") == [(path.stat().st_mtime_ns,)]


def test_a_corrected_file_replaces_the_rows_of_the_old_one(school: School) -> None:
    write_hour(school.amplitude, [event(1), event(2)])
    school.load()
    write_hour(school.amplitude, [event(2, event_type="signed_up"), event(3)])
    report = school.load()
    assert report.changed_files == 1
    assert school.query("select event_type from raw.events order by event_id") == [
        ("signed_up",),
        ("lesson_completed",),
    ]


def test_the_rows_of_a_file_that_goes_leave_and_its_repeats_take_their_place(
    school: School,
) -> None:
    first = write_hour(school.amplitude, [event(1), event(2)], hour=13)
    write_hour(school.amplitude, [event(1)], hour=14)
    write_hour(school.amplitude, [event(3)], hour=15)
    school.load()
    assert [row[3:5] for row in school.ledger()] == [(2, 0), (0, 1), (1, 0)]
    first.unlink()
    report = school.load()
    assert report.removed_files == 1
    assert [row[3:5] for row in school.ledger()] == [(1, 0), (1, 0)]


def test_the_same_content_elsewhere_is_a_duplicate_until_the_other_goes(school: School) -> None:
    write_hour(school.amplitude / "b", [event(1), event(2)])
    school.load()
    first = write_hour(school.amplitude / "a", [event(1), event(2)])
    school.load()
    name = first.name
    assert school.ledger() == [
        (f"amplitude/a/{name}", "loaded", 2, 2, 0, 0, 0),
        (f"amplitude/b/{name}", "duplicate", 2, 0, 2, 0, 0),
    ]
    first.unlink()
    school.load()
    assert school.ledger() == [(f"amplitude/b/{name}", "loaded", 2, 2, 0, 0, 0)]


def test_counts_and_rows_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    generator = random.Random(7)
    hours = {
        hour: [
            event(
                number,
                # Retries and re-exports on purpose: few insert ids, and uuids in several files.
                **{"$insert_id": f"insert-{number % 9}", "device_id": "device-1"},
                server_upload_time=f"2024-01-{1 + (number * 5) % 28:02d} 10:00:00",
            )
            for number in generator.sample(range(30), 12)
        ]
        for hour in range(8)
    }
    results = []
    for seed in range(3):
        school = School(tmp_path / str(seed))
        arrival = list(hours)
        random.Random(seed).shuffle(arrival)
        for chunk in (arrival[:1], arrival[1:4], arrival[4:]):
            for hour in chunk:
                write_hour(school.amplitude, hours[hour], hour=hour)
            school.load()
        results.append((school.ledger(), school.events()))
    assert results[0] == results[1] == results[2]
    assert sum(row[4] for row in results[0][0]) > 30


DAMAGE = [
    ("not valid JSON", '{"uuid": "cut off'),
    ("not a JSON object", "[1, 2]"),
    ("not a JSON object", "null"),
    ("event_properties is not a JSON object", json.dumps(event(9, event_properties="text"))),
    ("uuid is missing or not readable", json.dumps(event(9, uuid=None))),
    ("event_time is missing or not readable", json.dumps(event(9, event_time="yesterday"))),
    (
        "server_upload_time is missing or not readable",
        json.dumps(event(9, server_upload_time="9999-01-01 00:00:00")),
    ),
    ("a key occurs twice", '{"uuid": "a", "uuid": "b"}'),
]


@pytest.mark.usefixtures("each_way")
def test_a_broken_line_is_quarantined_with_its_line_and_reason_and_the_rest_loads(
    school: School,
) -> None:
    write_hour(school.amplitude, [event(1), "", *(line for _, line in DAMAGE), event(2)])
    write_hour(school.amplitude, [event(3)], hour=14)
    report = school.load()
    assert (report.rows_in, report.loaded, report.quarantined) == (11, 3, 8)
    found = school.query(
        "select line_number, reason from raw.quarantined_rows order by line_number"
    )
    # Lines 1 and 2 are an event and a blank line, which is no row.
    assert found == [(number, reason) for number, (reason, _) in enumerate(DAMAGE, start=3)]


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize(
    ("content", "accounts"), [(b"[", (1, 0, 0, 1, 0)), (b"5", (1, 0, 0, 1, 0)), (b"\n", (0,) * 5)]
)
def test_a_file_of_one_byte_is_accounted_for(
    school: School, content: bytes, accounts: tuple[int, ...]
) -> None:
    write_hour(school.amplitude, [event(1)], hour=14)
    (school.amplitude / hour_name(13)).write_bytes(gzip.compress(content))
    school.load()
    assert school.ledger()[0][2:] == accounts
    assert school.ledger()[1][2:] == (1, 1, 0, 0, 0)


@pytest.mark.usefixtures("each_way")
def test_bytes_that_are_not_utf8_cost_their_line_only(school: School) -> None:
    school.amplitude.mkdir(parents=True)
    path = school.amplitude / "4242_2024-01-01_13#0.json.gz"
    content = b"\xef\xbb\xbf" + lines([event(1)]) + b'{"uuid": "\xff"}\r\n' + lines([event(2)])
    path.write_bytes(gzip.compress(content))
    school.load()
    assert school.ledger()[0][2:] == (3, 2, 0, 1, 0)
    assert school.query("select line_number, reason from raw.quarantined_rows") == [
        (2, "not UTF-8")
    ]


@pytest.mark.usefixtures("each_way")
def test_a_truncated_gzip_gives_its_whole_lines_and_says_so(school: School) -> None:
    path = write_hour(
        school.amplitude, [event(n, noise=random.Random(n).random()) for n in range(3000)]
    )
    path.write_bytes(path.read_bytes()[:-5000])
    report = school.load()
    assert report.quarantined == 1
    assert 0 < report.loaded < 3000
    assert school.query("select reason from raw.loaded_files") == [("truncated gzip",)]


@pytest.mark.parametrize("names", [[], [".DS_Store", "__MACOSX/._1.json"], ["folder/"]])
def test_a_zip_with_nothing_to_load_stands_in_the_ledger(school: School, names: list[str]) -> None:
    school.amplitude.mkdir(parents=True)
    with zipfile.ZipFile(school.amplitude / "empty.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"")

    school.load()

    ((path, status, reason),) = school.query("select path, status, reason from raw.loaded_files")
    assert (path, status) == ("amplitude/empty.zip", "unreadable")
    assert str(reason).startswith("the zip holds no file, or hidden ones only; take it out")
    assert school.load().unchanged_files == 1


def test_a_broken_zip_and_an_unknown_file_stand_in_the_ledger_with_a_remedy(
    school: School,
) -> None:
    school.amplitude.mkdir(parents=True)
    (school.amplitude / "january.zip").write_bytes(b"PK but no zip")
    (school.amplitude / "notes.docx").write_bytes(b"notes")
    write_hour(school.amplitude, [event(1)])
    report = school.load()
    assert report.loaded == 1
    rows = school.query("select path, status, reason from raw.loaded_files order by path")
    assert [row[:2] for row in rows] == [
        ("amplitude/4242_2024-01-01_13#0.json.gz", "loaded"),
        ("amplitude/january.zip", "unreadable"),
        ("amplitude/notes.docx", "unrecognised"),
    ]
    assert "export it again" in rows[1][2]
    assert "name Amplitude files" in rows[2][2]


@pytest.mark.usefixtures("each_way")
def test_rows_outside_of_the_plan_are_counted_and_named(school: School) -> None:
    write_hour(
        school.amplitude,
        [
            event(1),
            event(2, event_type="heartbeat"),
            event(3, app=1),
            event(4, user_properties={"plan": "gold", "shoe_size": 44}),
        ],
    )
    report = school.load()
    assert (report.rows_in, report.loaded, report.not_in_plan) == (4, 2, 2)
    unknown = school.query(
        "select field, occurrences, is_sampled from raw.unknown_fields order by 1"
    )
    assert unknown == [
        ("app: 1", 1, False),
        ("event_type: heartbeat", 1, False),
        ("plan: gold", 1, False),
        ("user_properties.shoe_size", 1, True),
    ]


def test_a_change_of_the_plan_that_matters_loads_the_files_again(school: School) -> None:
    write_hour(school.amplitude, [event(1), event(2, event_type="heartbeat")])
    school.load()
    school.plan(TRACKING_PLAN + "  heartbeat: {}\n")
    report = school.load()
    assert (report.changed_files, report.loaded, report.not_in_plan) == (1, 2, 0)


def test_a_project_without_a_plan_is_named_and_loads_once_there_is_one(school: School) -> None:
    folder = school.amplitude
    folder.mkdir(parents=True)
    (folder / "77_2024-01-01_13#0.json.gz").write_bytes(gzip.compress(lines([event(1, app=77)])))
    school.load()
    (row,) = school.query("select status, reason from raw.loaded_files")
    assert row[0] == "unrecognised"
    assert "project 77" in row[1]
    school.plan(TRACKING_PLAN.replace('["4242"]', '["77"]'))
    assert school.load().loaded == 1


@pytest.mark.usefixtures("each_way")
def test_a_report_knows_its_line(school: School) -> None:
    report = {"outcome_type": "new_job", "outcome_date": "2024-01-02", "credited": "Yes"}
    write_hour(
        school.amplitude,
        [
            event(1),
            "",
            event(2, event_type="outcome_reported", event_properties=report),
            event(
                3, event_type="outcome_reported", event_properties=report | {"outcome_date": "soon"}
            ),
        ],
    )
    school.load()
    rows = school.query(
        "select line_number, outcome_type, outcome_date::varchar, outcome_date_text, credited "
        "from raw.events where event_type = 'outcome_reported' order by line_number"
    )
    assert rows == [
        (3, "new_job", "2024-01-02", None, "yes"),
        (4, "new_job", None, "soon", "yes"),
    ]


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("write", [str.upper, lambda text: text.replace("-", "")])
def test_a_report_knows_its_line_however_its_uuid_is_written(
    school: School, write: Callable[[str], str]
) -> None:
    first, second = event(1), event(2, event_type="outcome_reported")
    write_hour(school.amplitude, [first, second | {"uuid": write(second["uuid"])}])
    school.load()
    assert school.query("select line_number, event_id::varchar from raw.events order by all") == [
        (2, second["uuid"]),
        (None, first["uuid"]),
    ]


@pytest.mark.usefixtures("each_way")
def test_values_of_other_types_than_amplitude_writes_are_still_read(school: School) -> None:
    write_hour(
        school.amplitude,
        [
            event(1),
            event(2, uuid="no uuid at all", session_id="seven"),
            event(3, event_time="2024-01-02T03:04:05Z"),
        ],
    )
    assert school.load().loaded == 3
    rows = school.query("select event_at::varchar, session_id is null from raw.events order by all")
    assert [row for row in rows if row[0] == "2024-01-02 03:04:05"]
    assert sum(is_null for _, is_null in rows) >= 1


def test_merges_are_loaded_with_their_repeats_marked(school: School) -> None:
    school.amplitude.mkdir(parents=True)
    merge = {
        "scope": 1,
        "merge_time": 1704110400000,
        "merge_server_time": 1704110400000,
        "amplitude_id": 9,
        "merged_amplitude_id": 8,
    }
    content = lines([merge, {"amplitude_id": 1}, merge])
    (school.amplitude / "-1_2024-01-01_12.json.gz").write_bytes(gzip.compress(content))
    school.load()
    assert school.ledger()[0][2:] == (3, 1, 1, 1, 0)
    rows = school.query(
        "select amplitude_key, merged_amplitude_key, merged_at::varchar from raw.amplitude_merges "
        "where duplicate_reason is null"
    )
    assert rows == [
        (
            keyed_uuid(SECRET, "amplitude:9"),
            keyed_uuid(SECRET, "amplitude:8"),
            "2024-01-01 12:00:00",
        )
    ]


def test_bots_are_loaded_and_flagged(school: School) -> None:
    write_hour(school.amplitude, [event(1), event(2, user_properties={"is_bot": True})])
    school.load()
    assert school.query("select is_excluded from raw.events order by event_id") == [
        (False,),
        (True,),
    ]


def test_a_landing_folder_that_is_not_mounted_stops_the_load(school: School) -> None:
    path = write_hour(school.amplitude, [event(1)])
    school.load()
    path.unlink()
    with pytest.raises(LandingError, match="NORTHSTAR_ALLOW_MISSING_FILES=1"):
        school.load()
    assert len(school.events()) == 1
    school.load(allow_missing_files=True)
    assert school.events() == []


def test_the_as_of_is_the_day_after_the_newest_upload_in_the_reporting_zone(
    school: School,
) -> None:
    write_hour(school.amplitude, [event(1, server_upload_time="2024-03-30 23:30:00")])
    school.load()
    with school.warehouse() as connection:
        assert str(as_of(connection, school.settings)) == "2024-04-01"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.integers(0, 40), st.text(max_size=40)), min_size=1, max_size=25))
def test_every_row_is_accounted_for_whatever_a_file_holds(
    tmp_path_factory: pytest.TempPathFactory, content: list[int | str]
) -> None:
    school = School(tmp_path_factory.mktemp("school"))
    rows = [
        event(item) if isinstance(item, int) else item.replace("\n", " ").replace("\r", " ")
        for item in content
    ]
    write_hour(school.amplitude, rows)
    school.load()
    (_, _, rows_in, loaded, duplicates, quarantined, not_in_plan) = school.ledger()[0]
    assert rows_in == loaded + duplicates + quarantined + not_in_plan
    assert loaded == len({item for item in content if isinstance(item, int)})
    assert rows_in >= sum(isinstance(item, int) for item in content)


def test_keys_of_events_are_uuids_even_where_the_export_has_other_ids(school: School) -> None:
    write_hour(school.amplitude, [event(1, uuid="not-a-uuid")])
    school.load()
    assert school.query("select event_id from raw.events") == [
        (keyed_uuid(SECRET, "event:not-a-uuid"),)
    ]
    assert isinstance(school.query("select event_id from raw.events")[0][0], uuid.UUID)


def test_people_whose_ids_share_a_quick_hash_are_not_mixed_up(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amplitude, "_quick_hash", lambda values: "(1 + 0 * hash(1))::ubigint")
    write_hour(school.amplitude, [event(number) for number in range(40)])
    write_hour(school.amplitude, [event(number + 40) for number in range(40)], hour=14)
    school.load()
    found = dict(school.query("select event_id, user_key from raw.events"))
    assert found == {
        uuid.UUID(int=number + 1): keyed_uuid(SECRET, f"learner-{number % 7}")
        for number in range(80)
    }


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_is_read(school: School, encoding: str) -> None:
    content = lines([event(1), event(2)]).decode().encode(encoding)
    school.amplitude.mkdir(parents=True)
    (school.amplitude / "4242_2024-01-01_13#0.json").write_bytes(content)
    report = school.load()
    assert (report.rows_in, report.loaded) == (2, 2)


def test_surveys_in_a_zip_and_folders_with_backslashes_are_found(school: School) -> None:
    (school.settings.sources / "survey.yml").write_text(
        "kind: survey_mapping\nsurvey: s\nsource: survey\nfiles: ['surveys/a*.csv']\n"
        "columns: {period: {constant: '2024-01-01'}, user_id: {header: id}}\n"
    )
    (school.settings.landing / "surveys").mkdir(parents=True)
    for folder, name in (("surveys", "a.csv"), (".", "amplitude\\4242_2024-01-01_13#0.json")):
        with zipfile.ZipFile(school.settings.landing / folder / "a.zip", "w") as archive:
            archive.writestr(name, b"id\n1\n" if name == "a.csv" else lines([event(1)]))
    report = school.load()
    assert (report.rows_in, report.loaded) == (2, 2)
