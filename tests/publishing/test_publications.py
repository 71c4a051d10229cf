"""Readers have the old publication or the new one, complete and checked, never half of one."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.errors import LockedError, PublishingError
from orchestration.lock import rebuild_lock
from orchestration.publishing import (
    Fingerprint,
    Publication,
    current_publication,
    nothing_new,
    publish,
    published_file,
    writing,
)
from orchestration.publishing.publications import next_id, prune, remove_leftovers
from orchestration.settings import REPOSITORY, Settings

Publish = Callable[..., Publication]

# Publishes data of a folder in a process of its own; `{spoil}` runs before.
PUBLISH_ELSEWHERE = """
import os, resource, signal, sys
from pathlib import Path
import duckdb
from orchestration.errors import PublishingError
from orchestration.publishing import Fingerprint, publish, writing
from orchestration.settings import Settings
settings = Settings(data_dir=Path(sys.argv[1]), lock_wait_seconds=60)
fingerprint = Fingerprint(landing="new", contracts="c", dbt="d", settings="s")
with duckdb.connect(str(settings.warehouse)) as connection:
    {spoil}
    try:
        publish(
            connection, settings, run_id="run-1", relations=["core.dim_learners"],
            fingerprint=fingerprint,
        )
    except PublishingError as error:
        sys.exit(str(error))
"""

# A whole rebuild in small: stamps the warehouse, writes slowly, publishes. Two run at once.
REBUILD = """
import sys, time
from pathlib import Path
import duckdb
from orchestration.lock import rebuild_lock
from orchestration.publishing import Fingerprint, publish
from orchestration.settings import Settings
settings, run_id = Settings(data_dir=Path(sys.argv[1]), lock_wait_seconds=60), sys.argv[2]
fingerprint = Fingerprint(landing=run_id, contracts="c", dbt="d", settings="s")
with rebuild_lock(settings, run_id), duckdb.connect(str(settings.warehouse)) as connection:
    connection.execute("update raw.run_stamp set run_id = ?", [run_id])
    time.sleep(0.5)
    connection.execute("create or replace table core.made_by (run_id varchar)")
    connection.execute("insert into core.made_by values (?)", [run_id])
    publish(
        connection, settings, run_id=run_id, relations=["core.made_by"], fingerprint=fingerprint
    )
"""

# Reads both tables of one connection again and again; both must tell of the same publication.
READ_IN_A_LOOP = """
import sys
import duckdb
reads, seen = 0, set()
print("reading", flush=True)
while len(seen) < 4:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        told = []
        for _ in range(3):
            told += connection.execute("select max(number) from core.one").fetchall()
            told += connection.execute("select max(number) from core.two").fetchall()
        assert len(set(told)) == 1, told
        seen.add(told[0][0])
        reads += 1
print(reads)
"""


def _read(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(path), read_only=True) as reader:
        return reader.execute(sql).fetchall()


def _elsewhere(settings: Settings, spoil: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PUBLISH_ELSEWHERE.format(spoil=spoil), str(settings.data)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _all_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_published_file_holds_the_marts_and_what_it_is(
    publish_it: Publish, settings: Settings
) -> None:
    publication = publish_it()
    with duckdb.connect(str(published_file(settings)), read_only=True) as reader:
        assert reader.execute("select current_database()").fetchall() == [("northstar",)]
        tables = reader.execute(
            """
            select schema_name || '.' || table_name, estimated_size
            from duckdb_tables() order by 1
            """
        ).fetchall()
        learners = reader.execute("from core.dim_learners order by signup_date").fetchall()
        told = reader.execute(
            """
            select publication_id, run_id, as_of, published_at, landing_digest, content_digest
            from northstar.ops.published_at
            """
        ).fetchall()
    assert tables == [
        ("core.dim_learners", 3),
        ("core.v_learners", 3),
        ("nps.agg_nps", 0),
        ("ops.published_at", 1),
    ]
    assert [row[1:] for row in learners] == [
        (date(2026, 1, 1), ["a", "b"], 1.5, {"k": "v"}, {"a": 1}),
        (date(2026, 1, 2), [], None, {}, None),
        (date(2026, 1, 3), None, 2, None, {"a": None}),
    ]
    assert told == [
        (
            publication.id,
            "run-1",
            date(2026, 11, 1),
            publication.published_at.replace(tzinfo=None),
            "l",
            publication.content,
        )
    ]


def test_comments_come_along_and_constraints_do_not(
    publish_it: Publish, settings: Settings
) -> None:
    publish_it()
    assert _read(
        published_file(settings),
        "select comment from duckdb_tables() where table_name = 'dim_learners'",
    ) == [("The learner's row; not the person's.",)]
    assert _read(
        published_file(settings),
        """
        select column_name, comment from duckdb_columns()
        where table_name = 'dim_learners' and comment is not null
        """,
    ) == [("credits", 'Credits, "as decimals".')]
    assert _read(published_file(settings), "select * from duckdb_constraints()") == []


def test_parquet_copies_lie_beside_the_file(publish_it: Publish, settings: Settings) -> None:
    publish_it()
    parquet = settings.published / "current" / "parquet"
    assert sorted(str(path.relative_to(parquet)) for path in parquet.rglob("*.parquet")) == [
        "core/dim_learners.parquet",
        "core/v_learners.parquet",
        "nps/agg_nps.parquet",
        "ops/published_at.parquet",
    ]
    rows = duckdb.connect().execute(
        "select count(*), sum(credits) from read_parquet(?)",
        [str(parquet / "core" / "dim_learners.parquet")],
    )
    assert rows.fetchall() == [(3, 3.5)]


def test_the_manifest_says_what_was_published(publish_it: Publish, settings: Settings) -> None:
    publication = publish_it()
    manifest = json.loads((settings.published / "current" / "publication.json").read_text())
    assert manifest["id"] == publication.id
    assert manifest["run_id"] == "run-1"
    assert manifest["as_of"] == "2026-11-01"
    assert manifest["fingerprint"] == {
        "landing": "l",
        "contracts": "c",
        "dbt": "d",
        "settings": "s",
        "as_of": None,
    }
    assert {table["relation"]: table["rows"] for table in manifest["tables"]} == {
        "core.dim_learners": 3,
        "core.v_learners": 3,
        "nps.agg_nps": 0,
        "ops.published_at": 1,
    }
    assert current_publication(settings) == publication


def test_everything_is_linked_relatively_and_read_only(
    publish_it: Publish, settings: Settings
) -> None:
    old_mask = os.umask(0o077)
    try:
        publication = publish_it()
    finally:
        os.umask(old_mask)
    published = settings.published
    assert str((published / "northstar.duckdb").readlink()) == "current/northstar.duckdb"
    assert str((published / "current").readlink()) == f"publications/{publication.id}"
    folder = published / "publications" / publication.id
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o444}
    folders = [published, published / "publications", folder, folder / "parquet" / "core"]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o755}
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    # All of it can be moved, for instance to a volume of the BI tool.
    published.rename(settings.data / "elsewhere")
    assert _read(
        settings.data / "elsewhere" / "northstar.duckdb", "select count(*) from core.dim_learners"
    ) == [(3,)]


def test_an_open_reader_keeps_the_old_snapshot_and_a_new_one_sees_the_new(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    publish_it()
    count = "select count(*), current_database() from core.dim_learners"
    with duckdb.connect(str(published_file(settings)), read_only=True) as old:
        assert old.execute(count).fetchall() == [(3, "northstar")]
        warehouse.execute("delete from core.dim_learners where signup_date > '2026-01-01'")
        publish_it()
        assert old.execute(count).fetchall() == [(3, "northstar")]
        with duckdb.connect(str(published_file(settings)), read_only=True) as new:
            assert new.execute(count).fetchall() == [(1, "northstar")]
            assert old.execute(count).fetchall() == [(3, "northstar")]


def test_a_reader_keeps_its_snapshot_after_it_was_pruned(
    publish_it: Publish, settings: Settings
) -> None:
    publish_it()
    with duckdb.connect(str(published_file(settings)), read_only=True) as old:
        for _ in range(settings.keep_publications + 1):
            publish_it()
        assert old.execute("select sum(credits) from core.dim_learners").fetchall() == [(3.5,)]


def test_readers_in_a_loop_never_meet_the_writer(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    def publish_number(number: int) -> None:
        for table in ("one", "two"):
            warehouse.execute(
                f"""
                create or replace table core.{table} as
                select {number} as number from range(5000)
                """
            )
        publish_it(relations=["core.one", "core.two"])

    publish_number(0)
    reader = subprocess.Popen(
        [sys.executable, "-c", READ_IN_A_LOOP, str(published_file(settings))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == "reading\n"
        number = 0
        # Until the reader has seen four publications or has failed.
        while reader.poll() is None and number < 200:
            number += 1
            publish_number(number)
        out, _ = reader.communicate(timeout=30)
    finally:
        reader.kill()
    assert reader.returncode == 0
    assert int(out) >= 4


@pytest.mark.parametrize(
    ("step", "is_published"),
    [
        ("_copy", False),
        ("_export", False),
        ("_check", False),
        ("_seal", False),
        ("make_current", False),
        ("prune", True),
    ],
)
def test_a_kill_leaves_the_old_publication_or_the_new_one(
    publish_it: Publish,
    settings: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    step: str,
    is_published: bool,
) -> None:
    old = publish_it()
    files = _all_files(settings.published / "publications" / old.id)
    warehouse.execute("delete from core.dim_learners where signup_date > '2026-01-01'")
    warehouse.close()
    killed = _elsewhere(
        settings,
        spoil=f"writing.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert _all_files(settings.published / "publications" / old.id) == files
    rows = 1 if is_published else 3
    count = "select count(*) from core.dim_learners"
    assert _read(published_file(settings), count) == [(rows,)]
    current = current_publication(settings)
    assert current is not None
    assert (current.id != old.id) == is_published
    new = Fingerprint(landing="new", contracts="c", dbt="d", settings="s")
    assert nothing_new(settings, new) == is_published

    with duckdb.connect(str(settings.warehouse)) as connection:
        publish(
            connection, settings, run_id="run-1", relations=["core.dim_learners"], fingerprint=new
        )
    assert _read(published_file(settings), count) == [(1,)]
    names = [path.name for path in (settings.published / "publications").iterdir()]
    assert [name for name in names if name.startswith(".")] == []
    assert [path.name for path in settings.published.iterdir() if path.name[0] == "."] == []


def test_a_full_disk_leaves_the_old_publication(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    old = publish_it()
    warehouse.execute(
        """
        insert into core.dim_learners (learner_key, signup_date)
        select uuid(), '2026-01-04' from range(100_000)
        """
    )
    warehouse.close()
    limited = _elsewhere(
        settings,
        spoil="signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))",
    )
    assert limited.returncode == 1
    assert "The old publication stays" in limited.stderr
    assert current_publication(settings) == old
    publications = settings.published / "publications"
    assert [path.name for path in publications.iterdir()] == [old.id]


def test_a_disk_that_cannot_be_flushed_leaves_the_old_publication(
    publish_it: Publish, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish_it()

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(writing, "sync", full)
    with pytest.raises(PublishingError, match="No space left on device"):
        publish_it()
    assert current_publication(settings) == old
    assert [path.name for path in (settings.published / "publications").iterdir()] == [old.id]


def _lose_a_row(draft: Path) -> None:
    with duckdb.connect(str(draft / "northstar.duckdb")) as connection:
        connection.execute("delete from core.dim_learners where credits is null")


def _change_a_value(draft: Path) -> None:
    with duckdb.connect(str(draft / "northstar.duckdb")) as connection:
        connection.execute("update core.dim_learners set credits = 1.6 where credits = 1.5")


def _flip_bytes(draft: Path) -> None:
    with (draft / "northstar.duckdb").open("r+b") as file:
        for offset in range(0, file.seek(0, os.SEEK_END), 4096):
            file.seek(offset + 100)
            file.write(b"\xde\xad\xbe\xef")


def _empty_a_parquet_file(draft: Path) -> None:
    path = draft / "parquet" / "core" / "dim_learners.parquet"
    duckdb.connect().execute(f"copy (select 1 as x where false) to '{path}' (format parquet)")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_lose_a_row, "core.dim_learners has 3 rows in the warehouse .* and 2 in its copy"),
        (_change_a_value, "core.dim_learners has 3 rows in the warehouse .* and 3 in its copy"),
        (_flip_bytes, "The copy cannot be read"),
        (_empty_a_parquet_file, "3 rows in the warehouse and 0 in dim_learners.parquet"),
    ],
)
def test_a_copy_that_fails_its_check_is_not_shown(
    publish_it: Publish,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    old = publish_it()
    check = writing._check

    def damage_and_check(draft: Path, *others: Any) -> None:
        damage(draft)
        check(draft, *others)

    monkeypatch.setattr(writing, "_check", damage_and_check)
    with pytest.raises(PublishingError, match=message):
        publish_it()
    assert current_publication(settings) == old
    assert [path.name for path in (settings.published / "publications").iterdir()] == [old.id]
    monkeypatch.undo()
    assert publish_it().id > old.id


def test_a_type_that_some_drivers_cannot_read_is_refused(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    old = publish_it()
    warehouse.execute("create table nps.sums as select 1 as fine, sum(1) as total")
    with pytest.raises(PublishingError, match=r"nps\.sums\.total has the type HUGEINT.* bigint"):
        publish_it(relations=["core.dim_learners", "nps.sums"])
    assert current_publication(settings) == old
    warehouse.execute("create or replace table nps.sums as select 1 as fine")
    assert publish_it(relations=["core.dim_learners", "nps.sums"]).id > old.id


def test_another_runs_tables_are_refused(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    old = publish_it()
    warehouse.execute("update raw.run_stamp set run_id = 'run-2'")
    with pytest.raises(PublishingError, match="the stamp of run-2, not of run run-1"):
        publish_it()
    assert current_publication(settings) == old
    assert publish_it(run_id="run-2").run_id == "run-2"


def test_a_warehouse_without_a_stamp_is_refused(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute("delete from raw.run_stamp")
    with pytest.raises(PublishingError, match="the stamp of no run"):
        publish_it()
    warehouse.execute("drop table raw.run_stamp")
    with pytest.raises(PublishingError, match="the stamp of no run"):
        publish_it()
    assert current_publication(settings) is None


def test_two_rebuilds_at_once_publish_their_own_tables(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.close()
    both = [
        subprocess.Popen([sys.executable, "-c", REBUILD, str(settings.data), run], cwd=REPOSITORY)
        for run in ("run-a", "run-b")
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    told = [
        _read(path, "select m.run_id, p.run_id from core.made_by m, ops.published_at p")[0]
        for path in (settings.published / "publications").glob("*/northstar.duckdb")
    ]
    assert sorted(told) == [("run-a", "run-a"), ("run-b", "run-b")]


def test_nobody_publishes_while_another_run_holds_the_lock(
    publish_it: Publish, settings: Settings
) -> None:
    with rebuild_lock(settings, "run-2"), pytest.raises(LockedError, match="run run-2"):
        publish_it()
    with rebuild_lock(settings, "run-1"):
        publish_it()


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ([], "nothing to publish"),
        (["dim_learners"], "write schema.table"),
        (["a.b.c"], "write schema.table"),
        (["core.nowhere"], "core.nowhere is not in the warehouse"),
        (["ops.published_at"], "written by publishing itself"),
    ],
)
def test_wrong_relations_are_named(
    publish_it: Publish, settings: Settings, relations: list[str], message: str
) -> None:
    with pytest.raises(PublishingError, match=message):
        publish_it(relations=relations)
    assert not published_file(settings).exists()


def test_names_with_quotes_cannot_be_injected(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute("""create table core."a""b'; drop table x" as select 1 as "c""d'" """)
    publish_it(relations=["core.a\"b'; drop table x"])
    assert _read(published_file(settings), """from core."a""b'; drop table x" """) == [(1,)]


def test_the_last_publications_stay_and_older_ones_go(
    publish_it: Publish, settings: Settings
) -> None:
    ids = [publish_it().id for _ in range(settings.keep_publications + 2)]
    assert sorted(ids) == ids
    left = sorted(path.name for path in (settings.published / "publications").iterdir())
    assert left == ids[-settings.keep_publications :]


def _go_back_to(publication: Publication, settings: Settings) -> None:
    link = settings.published / "current"
    link.unlink()
    link.symlink_to(Path("publications") / publication.id)


def test_the_current_publication_stays_even_when_it_is_not_among_the_newest(
    publish_it: Publish, settings: Settings
) -> None:
    """Somebody went back to an older one by hand: it is what readers see until the next run."""
    first, _, third = (publish_it() for _ in range(3))
    _go_back_to(first, settings)
    prune(settings.model_copy(update={"keep_publications": 1}))
    publications = settings.published / "publications"
    assert sorted(path.name for path in publications.iterdir()) == [first.id, third.id]


def test_what_readers_see_is_not_a_leftover_even_without_a_manifest(
    publish_it: Publish, settings: Settings
) -> None:
    publication = publish_it()
    (settings.published / "current" / "publication.json").unlink()
    remove_leftovers(settings)
    assert _read(published_file(settings), "select count(*) from core.dim_learners") == [(3,)]
    assert publish_it().id > publication.id


def test_what_killed_publications_left_is_removed(publish_it: Publish, settings: Settings) -> None:
    old = publish_it()
    publications = settings.published / "publications"
    (publications / ".20200101T000000Z-dead" / "parquet").mkdir(parents=True)
    (publications / "20200101T000000Z-nothing").mkdir()
    new = publish_it()
    assert sorted(path.name for path in publications.iterdir()) == [old.id, new.id]


def test_ids_sort_by_time_even_when_the_clock_goes_backwards(
    publish_it: Publish, settings: Settings
) -> None:
    first = publish_it()
    assert re.fullmatch(r"\d{8}T\d{6}Z-run1", first.id)
    past = datetime(2001, 1, 1, tzinfo=UTC)
    assert next_id(settings, "run-1", past) > first.id
    assert (
        next_id(settings, "../../etc", datetime(2100, 1, 1, tzinfo=UTC)) == "21000101T000000Z-etc"
    )


def test_the_same_rows_in_another_order_have_the_same_content(
    publish_it: Publish, warehouse: duckdb.DuckDBPyConnection
) -> None:
    contents = []
    for rows in ("('a'), ('a'), ('b')", "('b'), ('a'), ('a')", "('c'), ('c'), ('b')"):
        warehouse.execute(f"create or replace table core.letters as from (values {rows}) t(letter)")
        contents.append(publish_it(relations=["core.letters"]).content)
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_the_content_is_about_the_school_and_not_about_runs(
    publish_it: Publish, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute("create schema ops; create table ops.loaded_files as select 'x' as loaded_by")
    first = publish_it(relations=["core.dim_learners", "ops.loaded_files"])
    warehouse.execute("update ops.loaded_files set loaded_by = 'y'")
    second = publish_it(relations=["core.dim_learners", "ops.loaded_files"])
    assert first.content == second.content
    assert first.tables[1] != second.tables[1]


def test_nothing_is_new_until_an_input_changes(
    publish_it: Publish, settings: Settings, fingerprint: Fingerprint
) -> None:
    assert not nothing_new(settings, fingerprint)
    publish_it()
    assert nothing_new(settings, fingerprint)
    for name in ("landing", "contracts", "dbt", "settings"):
        assert not nothing_new(settings, fingerprint.model_copy(update={name: "changed"}))
    asked = fingerprint.model_copy(update={"as_of": date(2026, 1, 1)})
    assert not nothing_new(settings, asked)


@pytest.mark.parametrize(
    "lost",
    [
        "published/northstar.duckdb",
        "published/current",
        "published/current/northstar.duckdb",
        "published/current/publication.json",
        "published/current/parquet/core/dim_learners.parquet",
        "warehouse",
    ],
)
def test_something_is_new_when_a_part_was_deleted(
    publish_it: Publish, settings: Settings, fingerprint: Fingerprint, lost: str
) -> None:
    publish_it()
    if lost == "warehouse":
        settings.warehouse.unlink()
    else:
        (settings.data / lost).unlink()
    assert not nothing_new(settings, fingerprint)


def test_a_publication_of_another_layout_is_published_anew(
    publish_it: Publish, settings: Settings, fingerprint: Fingerprint
) -> None:
    publication = publish_it()
    manifest = settings.published / "current" / "publication.json"
    manifest.chmod(0o644)
    older = publication.model_copy(update={"layout": publication.layout - 1})
    manifest.write_text(older.model_dump_json())
    assert not nothing_new(settings, fingerprint)


def test_nothing_loaded_yet_publishes_without_an_as_of(
    publish_it: Publish, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute("update intermediate.int_as_of set as_of_date = null, as_of_at = null")
    assert publish_it().as_of is None


def test_what_is_not_committed_is_not_published(
    publish_it: Publish, settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.begin()
    warehouse.execute("delete from core.dim_learners")
    publish_it()
    warehouse.rollback()
    assert _read(published_file(settings), "select count(*) from core.dim_learners") == [(3,)]


def test_asking_whether_something_is_new_needs_neither_dagster_nor_dbt() -> None:
    code = """
import sys
import orchestration.lock, orchestration.secret, orchestration.publishing
print([name for name in sys.modules if name.split(".")[0] in ("dagster", "dbt", "dagster_dbt")])
"""
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
