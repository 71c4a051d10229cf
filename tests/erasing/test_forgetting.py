"""Loading leaves out just what an erasure would take out of the landing folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestration.contracts import Contracts
from orchestration.contracts.tracking_plan import TrackingPlan
from orchestration.erasing.sweeping import recover_ids, sweep
from orchestration.landing import take_inventory
from orchestration.loading import connect, load_landing, stamp_run
from orchestration.settings import Settings
from orchestration.tombstones import (
    Tombstone,
    Trace,
    mark,
    message,
    read_tombstones,
    tombstone_hash,
    tombstone_key,
    unfinished,
    unswept,
    write_tombstone,
)
from tests.loading.exports import TRACKING_PLAN, event, write_hour

ERASED_AT = datetime(2024, 1, 1, 13, 30, tzinfo=UTC)
SECRET = b"a secret for tests"
RANGE = (datetime(2024, 1, 1, 13, 10, tzinfo=UTC), datetime(2024, 1, 1, 13, 20, tzinfo=UTC))
PERSON = (
    ("user", "ann", None, ERASED_AT),
    ("email", "ann@example.org", None, ERASED_AT),
    ("device", "phone", None, ERASED_AT),
    ("device", "tablet", *RANGE),
    ("amplitude", "77", None, ERASED_AT),
)
ANN = {("user", "ann")}


@pytest.fixture
def school(tmp_path: Path) -> Settings:
    """Settings with a landing folder of their own."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Contracts:
    """A tracking plan that names the e-mail, and no survey."""
    document = yaml.safe_load(TRACKING_PLAN)
    document.pop("kind")
    path = tmp_path_factory.mktemp("sources") / "plan.yml"
    return Contracts(tracking_plans=[TrackingPlan.parse(document, path)])


def bury(school: Settings, *traces: tuple[str, str, datetime | None, datetime]) -> Tombstone:
    """Write a tombstone of ids (kind, text) and their times."""
    key = tombstone_key(school)
    told = []
    for kind, text, since, until in traces:
        written = message(kind, text)
        assert written is not None
        told.append(Trace(hash=tombstone_hash(key, written), since=since, until=until))
    return write_tombstone(school, "own", written_at=ERASED_AT, traces=told)


def load(school: Settings, contracts: Contracts) -> tuple[Counter[str], list[tuple[Any, ...]]]:
    """Load the landing folder anew; returns the sums of the ledger, and the events."""
    school.warehouse.unlink(missing_ok=True)
    names = ("rows_in", "loaded", "duplicates", "quarantined", "not_in_plan", "erased")
    with connect(school) as connection:
        load_landing(
            connection,
            school,
            contracts=contracts,
            inventory=take_inventory(school.landing),
            run_id="run",
            load_number=stamp_run(connection, "run"),
            secret=SECRET,
            tombstones=read_tombstones(school, "own"),
        )
        ledger = connection.execute(f"select {', '.join(names)} from raw.loaded_files").fetchall()
        rows = connection.execute(
            "select * exclude (file_id) from raw.events order by event_id, event_at"
        ).fetchall()
    assert all(row[0] == sum(row[1:]) for row in ledger)
    sums = [sum(column) for column in zip(*ledger, strict=True)]
    return Counter(dict(zip(names, sums, strict=True))), rows


MINUTES = st.integers(0, 59).map(lambda minute: f"2024-01-01 13:{minute:02d}:00.000000")
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["ann", " ann ", "ben", "", None]),
            "device_id": st.sampled_from(["phone", "tablet", "other", None]),
            "amplitude_id": st.sampled_from([77, 88, None]),
            "user_properties": st.sampled_from(
                [{"email": "Ann@Example.org "}, {"email": "ben@example.org"}, {}]
            ),
            "event_time": MINUTES,
            "server_upload_time": MINUTES,
            "event_type": st.sampled_from(["lesson_completed", "unplanned"]),
        }
    ),
    min_size=40,
    max_size=60,
)


def is_hers(row: dict[str, Any]) -> bool:
    """The rule once more: a user id alone decides, where there is one."""
    at, uploaded = (
        datetime.fromisoformat(row[name]).replace(tzinfo=UTC)
        for name in ("event_time", "server_upload_time")
    )
    first = min(at, uploaded)
    user = (row["user_id"] or "").strip()
    if user:
        return user == "ann" and first < ERASED_AT
    is_linked = (
        row["device_id"] == "phone"
        or row["amplitude_id"] == 77
        or row["user_properties"].get("email", "").strip().lower() == "ann@example.org"
    )
    in_range = row["device_id"] == "tablet" and RANGE[0] <= at and first < RANGE[1]
    return in_range or (is_linked and first < ERASED_AT)


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(changes=EVENTS)
def test_a_load_leaves_out_what_an_erasure_takes_out_of_landing(
    tmp_path_factory: pytest.TempPathFactory, contracts: Contracts, changes: list[dict[str, Any]]
) -> None:
    school = Settings(data_dir=tmp_path_factory.mktemp("school"))
    stone = bury(school, *PERSON)
    rows = [event(number, **change) for number, change in enumerate(changes)]
    path = write_hour(school.landing, rows)

    filtered, loaded = load(school, contracts)
    ids = recover_ids(school, contracts, stone, read_tombstones(school, "own").key)
    sweep(school, "own", contracts, stone, ids)
    swept, kept = load(school, contracts)

    assert filtered["erased"] == sum(is_hers(row) for row in rows)
    assert kept == loaded
    assert swept == filtered
    assert path.exists()  # be it empty


def test_somebody_who_comes_anew_is_loaded(school: Settings, contracts: Contracts) -> None:
    bury(school, *PERSON)
    before, after = "2024-01-01 13:00:00.000000", "2024-01-01 13:31:00.000000"
    write_hour(
        school.landing,
        [
            event(1, user_id="ann", event_time=before, server_upload_time=before),
            event(2, user_id="ann", event_time=before, server_upload_time=after),
            event(3, user_id="ann", event_time=after, server_upload_time=after),
            event(4, user_id="ben", event_time=before, server_upload_time=before),
        ],
    )

    sums, rows = load(school, contracts)

    assert sums["erased"] == 2
    assert {row[1] for row in rows} == {UUID(int=4), UUID(int=5)}


def test_without_tombstones_nothing_is_hashed_with_their_key(
    school: Settings, contracts: Contracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked for the hash of a tombstone")

    monkeypatch.setattr("orchestration.loading.pseudonyms.install_hash", refuse)
    write_hour(school.landing, [event(number) for number in range(3)])

    assert load(school, contracts)[0]["erased"] == 0


def _objects(person: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of each resource of the help desk that are about somebody."""
    mine = {
        "id": person,
        "created_at": "2024-01-01T10:00:00Z",
        "updated_at": "2024-01-02T10:00:00Z",
    }
    comments = [{"type": "Comment"}, {"type": "Comment"}]
    yield "users", mine
    yield "tickets", {**mine, "requester_id": person}
    yield "satisfaction_ratings", {**mine, "requester_id": person, "ticket_id": 1}
    yield "satisfaction_ratings", {**mine, "requester_id": 1, "ticket_id": person}
    yield "calls", {**mine, "customer_id": person}
    yield "legs", {**mine, "call_id": person}
    yield "ticket_audits", {**mine, "ticket_id": person, "author_id": 1, "events": comments}
    yield "ticket_events", {**mine, "ticket_id": 1, "updater_id": person, "child_events": []}
    yield (
        "ticket_metric_events",
        {
            "id": person,
            "ticket_id": person,
            "metric": "reply_time",
            "instance_id": 1,
            "type": "activate",
            "time": "2024-01-01T10:00:00Z",
        },
    )
    yield "organizations", mine


def test_rows_of_the_help_desk_go_by_requester_ticket_call_and_author(
    school: Settings, contracts: Contracts
) -> None:
    kinds = ("zendesk_user", "zendesk_ticket", "zendesk_call")
    stone = bury(school, *((kind, "4711", None, ERASED_AT + timedelta(days=9)) for kind in kinds))
    listed: dict[str, list[dict[str, Any]]] = {}
    for name, row in (*_objects(4711), *_objects(4712)):
        listed.setdefault(name, []).append(row)
    for name, rows in listed.items():
        path = school.landing / "zendesk" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name.replace("ticket_audits", "audits"): rows}))

    filtered, _ = load(school, contracts)
    ids = recover_ids(school, contracts, stone, read_tombstones(school, "own").key)
    swept = sweep(school, "own", contracts, stone, ids)

    # One of each, two ratings and the two events of the audit; no organization is a person.
    assert filtered["erased"] == 10
    assert sum(swept.rows.values()) == 10
    assert load(school, contracts)[0] == filtered
    assert b"4711" in (school.landing / "zendesk" / "organizations.json").read_bytes()


def test_two_files_that_an_erasure_has_emptied_are_not_one_file(
    school: Settings, contracts: Contracts
) -> None:
    stone = bury(school, *PERSON)
    for hour in (10, 11):
        write_hour(school.landing, [event(hour, user_id="ann")], hour=hour)

    sweep(school, "own", contracts, stone, ANN)
    sums, rows = load(school, contracts)

    assert rows == []
    assert sums == Counter(rows_in=2, erased=2)


def test_an_erasure_of_a_swept_folder_changes_nothing(
    school: Settings, contracts: Contracts
) -> None:
    stone = bury(school, *PERSON)
    path = write_hour(school.landing, [event(1, user_id="ann"), event(2, user_id="ben")])
    sweep(school, "own", contracts, stone, ANN)
    left = path.read_bytes()

    swept = sweep(school, "own", contracts, stone, ANN)

    assert swept.files == 0
    assert path.read_bytes() == left


def test_a_kill_before_the_new_file_is_in_place_leaves_the_old_one_and_no_wrong_count(
    school: Settings, contracts: Contracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stone = bury(school, *PERSON)
    write_hour(school.landing, [event(1, user_id="ann"), event(2, user_id="ben")])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            sweep(school, "own", contracts, stone, ANN)
    assert unswept(school, "own") == [stone]
    interrupted, _ = load(school, contracts)
    sweep(school, "own", contracts, stone, ANN)
    completed, _ = load(school, contracts)

    assert interrupted == completed == Counter(rows_in=2, loaded=1, erased=1)
    assert [path.name for path in school.landing.iterdir()] == ["4242_2024-01-01_13#0.json.gz"]


def test_tombstones_are_numbered_private_and_hold_no_id_in_clear(school: Settings) -> None:
    first = bury(school, *PERSON)
    second = bury(school, ("user", str(uuid4()), None, ERASED_AT))
    mark(school, "own", first, "swept", {})
    mark(school, "own", first, "done", {})

    assert [first.number, second.number] == [1, 2]
    assert unfinished(school, "own") == [second]
    folder = school.state / "tombstones"
    told = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"ann" not in told
    assert b"phone" not in told
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}
