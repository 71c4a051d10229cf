"""Erasing somebody by the real job: gone everywhere, and gone for good."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.contracts import read_contracts
from orchestration.erasing.requests import find_person, finish, resume, write_down
from orchestration.erasing.rotating import finish_rotation, new_secret, replace_secret
from orchestration.errors import SecretError
from orchestration.inputs import is_published
from orchestration.landing import take_inventory
from orchestration.loading.pseudonyms import keyed_uuid
from orchestration.publishing.publications import (
    current_publication,
    manifest_file,
    next_id,
    publications_folder,
    roll_forward,
)
from orchestration.secret import count_rotations, pseudonym_key
from orchestration.settings import Settings
from orchestration.tombstones import unfinished, unswept
from tests.end_to_end.conftest import School
from tests.erasing.canaries import ANN, BEN, amplitude, event, plant, search, words_of
from tests.erasing.conftest import SETTINGS, run

SECRET = SETTINGS["NORTHSTAR_SECRET"]
LEDGER = "select path, rows_in, rows_erased from ops.loaded_files order by path"


@pytest.fixture(scope="module")
def before(canary_school: School) -> dict[str, int]:
    """Rows by file before anybody was erased."""
    return {str(path): int(str(rows)) for path, rows, _ in canary_school.query(LEDGER)}


@pytest.fixture(scope="module")
def erasure(
    canary_school: School, before: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> tuple[School, subprocess.CompletedProcess[str]]:
    """The school after Ann was erased by her e-mail, written in another way."""
    assert before
    school = canary_school.copy_data(tmp_path_factory.mktemp("erased") / "data")
    return school, run(school, "erase", given=f" {ANN.email.upper()}\n\n")


def test_she_is_gone_from_every_file_landing_included(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    school, done = erasure
    assert done.returncode == 0, done.stderr + done.stdout

    assert search(school.data, words=words_of(ANN)) == {}
    assert len(search(school.settings.landing, words=words_of(BEN))) >= 15
    assert len(list((school.data / "published" / "publications").iterdir())) == 1


def test_the_report_counts_and_names_nobody(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    _, done = erasure
    told = done.stdout + done.stderr
    assert "zqcanary" not in told.lower()
    for source, rows in {"amplitude_events": 18, "surveys": 5, "zendesk_ticket_audits": 3}.items():
        assert any(line.split() == [source, str(rows)] for line in told.splitlines()), told
    assert "Publications        1 removed" in told


def test_all_rows_are_accounted_for(
    erasure: tuple[School, subprocess.CompletedProcess[str]], before: dict[str, int]
) -> None:
    school, _ = erasure
    rows = school.query(LEDGER)
    assert {str(path): int(str(rows_in)) for path, rows_in, _ in rows} == before
    assert sum(int(str(erased)) for _, _, erased in rows) == 47
    assert school.query(
        "select count(*) from ops.loaded_files where rows_in <> rows_loaded + rows_duplicate "
        "+ rows_quarantined + rows_not_in_plan + rows_erased"
    ) == [(0,)]


def test_of_a_shared_device_each_keeps_what_is_theirs(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    """Her rows of the tablet, and the anonymous one before her sign-in; Ben's of his days stay."""
    school, _ = erasure
    tablet = keyed_uuid(SECRET.encode(), "device:family-tablet")
    with duckdb.connect(str(school.settings.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            "select event_at::date, user_key is null from raw.events where device_key = $1 "
            "order by event_at",
            [str(tablet)],
        ).fetchall()
    assert rows == [(date(2025, 5, 6), True), (date(2025, 5, 7), False)]


def test_the_figure_that_changed_is_restated_as_an_erasure(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    school, _ = erasure
    assert school.query(
        "select month, old_value, new_value, cause, reports from outcomes.restatements "
        "where breakdown = 'total'"
    ) == [(date(2024, 3, 1), 14, 13, "erasure", 1)]


def test_the_chain_tells_of_no_small_group(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    """Entries are never rewritten: so none may hold a cell of one to nine people."""
    school, _ = erasure
    entries = [
        json.loads(path.read_bytes())
        for path in sorted((school.settings.state / "published" / "own").iterdir())
    ]
    assert len(entries) == 2
    for entry in entries:
        for told in entry["figures"]:
            if told["figure"] in ("outcomes", "respondents") and told["value"] is not None:
                assert told["value"] == 0 or told["value"] >= 10, told
        assert "learner" not in json.dumps(entry["figures"])


def test_dagster_knows_the_tombstone_and_nothing_else(
    erasure: tuple[School, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    school, _ = erasure
    stone = json.loads((school.settings.state / "tombstones/own/000001.json").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(school.settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        newest = instance.get_runs(limit=1)[0]
    assert newest.tags["northstar/tombstone"] == stone["id"]
    assert "ops" not in newest.run_config


def test_a_later_export_does_not_bring_her_back_and_another_key_changes_nothing_about_it(
    erasure: tuple[School, subprocess.CompletedProcess[str]],
) -> None:
    """The old exports arrive again, she signs up anew, and the key is rotated: one rebuild."""
    school, _ = erasure
    landing = school.settings.landing
    late = amplitude()
    plant(landing, {"amplitude/again.zip": late["amplitude/first.zip"]})
    # After the erasure, and not so late that no export can be of that time.
    at = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(days=1)
    anew = event(replace(ANN, letter="ann"), 90, event_time=str(at), server_upload_time=str(at))
    plant(
        landing,
        {"amplitude/100042_2025-06-01_10#0.json": f"{json.dumps(anew)}\n".encode()},
    )

    done = run(school, "rotate-key", given="another secret of the tests\n")

    assert done.returncode == 0, done.stderr + done.stdout
    assert "another secret" not in done.stdout + done.stderr
    assert school.query(
        "select split_part(path, '#', 2)[1], rows_in, rows_erased from ops.loaded_files "
        "where path like 'amplitude/again%' order by path"
    ) == [("0", 10, 5), ("1", 4, 2), ("2", 1, 0)]
    new, old = (
        keyed_uuid(secret.encode(), ANN.user) for secret in ("another secret of the tests", SECRET)
    )
    with duckdb.connect(str(school.settings.warehouse), read_only=True) as warehouse:
        found = warehouse.execute("select user_key from raw.events").fetchall()
        years = warehouse.execute(
            "select year(event_at) from raw.events where user_key = $1", [str(new)]
        ).fetchall()
    assert years == [(at.year,)]
    assert (old,) not in found
    assert len(list((school.data / "published" / "publications").iterdir())) == 1


# -- ended in the middle -----------------------------------------------------------------------


@contextmanager
def _begun(school: School, folder: Path) -> Iterator[Settings]:
    """A copy of the school in which Ann's tombstone was written, and no more."""
    copy = school.copy_data(folder / "data")
    settings = Settings(data_dir=copy.data)
    person, until = find_person(settings, ANN.user, SECRET.encode())
    assert person is not None
    write_down(settings, "own", person, SECRET.encode(), until)
    yield settings


def test_an_erasure_that_was_killed_is_completed_from_its_tombstone_alone(
    canary_school: School, tmp_path: Path
) -> None:
    with _begun(canary_school, tmp_path) as settings:
        assert not is_published(settings, take_inventory(settings.landing))
        assert len(unswept(settings, "own")) == 1
        # A part of it was done before the kill: good rows that would tell what she is called.
        shutil.rmtree(settings.landing / "coaches")

        resumed = resume(settings)

        assert [stone.number for stone in resumed] == [1]
        assert search(settings.landing, words=words_of(ANN)) == {}
        assert len(search(settings.landing, words=words_of(BEN))) >= 14
        assert not settings.warehouse.exists()
        assert unswept(settings, "own") == []
        assert len(unfinished(settings, "own")) == 1  # the published file is yet to follow
        assert resume(settings) == []


def _leave_a_draft(settings: Settings) -> str:
    """A publication as a run leaves it that is killed before it is shown; returns its id."""
    current = current_publication(settings)
    assert current is not None
    draft_id = next_id(settings, "killed", datetime.now(UTC))
    folder = publications_folder(settings)
    shutil.copytree(folder / current.id, folder / f".{draft_id}")
    manifest = manifest_file(folder / f".{draft_id}")
    manifest.chmod(0o600)
    manifest.write_text(current.model_copy(update={"id": draft_id}).model_dump_json())
    return draft_id


def test_a_draft_of_before_an_erasure_that_is_shown_after_it_does_not_complete_it(
    canary_school: School, tmp_path: Path
) -> None:
    with _begun(canary_school, tmp_path) as settings:
        draft_id = _leave_a_draft(settings)
        resume(settings)
        roll_forward(settings, draft_id)
        shown = current_publication(settings)
        assert shown is not None
        assert shown.id == draft_id

        assert finish(settings) == []
        assert len(unfinished(settings, "own")) == 1

        # Nor does it if nothing is shown at all.
        (settings.published / "current").unlink()
        assert finish(settings) == []
        assert len(unfinished(settings, "own")) == 1


def test_a_draft_of_before_a_rotation_that_is_shown_after_it_does_not_complete_it(
    canary_school: School, tmp_path: Path
) -> None:
    copy = canary_school.copy_data(tmp_path / "data")
    settings = Settings.model_validate({"data_dir": copy.data, "secret": SECRET})
    draft_id = _leave_a_draft(settings)
    replace_secret(settings, new_secret(settings, "another secret of the tests\n"))
    roll_forward(settings, draft_id)

    assert finish_rotation(settings) is None


def test_a_rotation_that_was_killed_leaves_a_key_that_fits(
    canary_school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = canary_school.copy_data(tmp_path / "data")
    old = Settings.model_validate({"data_dir": copy.data, "secret": SECRET})
    new = new_secret(old, "another secret of the tests\n")
    assert new is not None

    with monkeypatch.context() as patched:
        patched.setattr("orchestration.erasing.rotating.replace_key", _die)
        with pytest.raises(KeyboardInterrupt):
            replace_secret(old, new)
    # Before the one step: the old key is in force, and everything is built anew.
    assert pseudonym_key(old, is_demo=False) == SECRET.encode()
    assert not old.warehouse.exists()
    assert finish_rotation(old) is None

    replace_secret(old, new)
    # After it: the new one.
    assert count_rotations(old) == 1
    rotated = Settings.model_validate({"data_dir": copy.data, "secret": new})
    assert pseudonym_key(rotated, is_demo=False) == new.get_secret_value().encode()
    assert not is_published(rotated, take_inventory(rotated.landing))
    with pytest.raises(SecretError, match="before the last"):
        pseudonym_key(old, is_demo=False)
    with pytest.raises(SecretError, match="is not the secret"):
        pseudonym_key(
            Settings.model_validate({"data_dir": copy.data, "secret": "x" * 20}), is_demo=False
        )


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_nobody_is_erased_whom_nobody_knows(canary_school: School, tmp_path: Path) -> None:
    copy = canary_school.copy_data(tmp_path / "data")
    settings = Settings(data_dir=copy.data)
    assert read_contracts(settings.sources).tracking_plans

    assert find_person(settings, "nobody@school.example", SECRET.encode())[0] is None
    assert find_person(settings, "family-tablet", SECRET.encode())[0] is None


def test_a_clock_in_the_next_century_does_not_keep_a_person_out_until_then(
    canary_school: School, tmp_path: Path
) -> None:
    """Only what the exports say of themselves moves the instant: a client's clock may stand wrong.

    Whoever is erased may sign up anew the day after.
    """
    copy = canary_school.copy_data(tmp_path / "data")
    settings = Settings(data_dir=copy.data)
    newest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=3)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(
            "update raw.events set event_at = '2150-01-01' where user_key is not null"
        )
    before = find_until(settings)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("update raw.loaded_files set newest_at = $1", [newest])

    assert before < datetime.now(UTC) + timedelta(minutes=1)
    # Unless the clock of this machine is behind that of the exports.
    assert find_until(settings) == newest.replace(tzinfo=UTC) + timedelta(seconds=1)


def find_until(settings: Settings) -> datetime:
    """The instant before which an erasure that begins now erases."""
    return find_person(settings, BEN.user, SECRET.encode())[1]


def test_ids_come_from_standard_input_only(canary_school: School, tmp_path: Path) -> None:
    copy = canary_school.copy_data(tmp_path / "data")

    nobody = run(copy, "erase", given="\n")

    assert nobody.returncode == 1
    assert "Nobody was named" in nobody.stderr
    assert not (copy.settings.state / "tombstones").exists()
