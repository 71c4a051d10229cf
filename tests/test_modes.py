"""Who may read what runs write, whatever the umask of whoever starts them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.home import prepare_home
from orchestration.loading import connect
from orchestration.lock import rebuild_lock
from orchestration.publishing import Fingerprint, publish, published_file
from orchestration.secret import pseudonym_key
from orchestration.settings import Settings
from orchestration.transforming.invoking import invoke


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The modes of a folder and of everything in it, by path; links have none of their own."""
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [folder, *folder.rglob("*")]
        if not path.is_symlink()
    }


def test_the_warehouse_and_what_lies_beside_it_are_private(tmp_path: Path, umask: int) -> None:
    settings = Settings(data_dir=tmp_path / "data", memory_limit="40MB", threads=1)

    with rebuild_lock(settings, "run"), connect(settings) as connection:
        connection.execute("create table written as select 1 as one")
        # More than fits into memory, so that it is spilled to disk.
        connection.execute(
            "create temp table spilled as "
            "select random()::varchar || i as r from range(1_000_000) t(i) order by r"
        )
        connection.execute("insert into written values (2)")
        found = modes(settings.warehouse.parent)
        files = {path for path in found if (settings.warehouse.parent / path).is_file()}

    assert "warehouse.duckdb.wal" in files
    assert any(path.startswith("spill") for path in found)
    assert found == {path: 0o600 if path in files else 0o700 for path in found}
    assert os.umask(umask) == umask


def test_dagsters_home_and_the_secret_are_private_and_the_published_file_is_readable(
    tmp_path: Path, umask: int
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    prepare_home(settings)
    pseudonym_key(settings, is_demo=True)
    with connect(settings) as warehouse:
        warehouse.execute("insert into raw.run_stamp values ('run', 1)")
        warehouse.execute("create schema core; create schema intermediate; create schema nps")
        warehouse.execute(
            "create table intermediate.int_as_of as select current_date as as_of_date"
        )
        warehouse.execute("create table core.dim as select 'a' as name")
        warehouse.execute("create table nps.comments as select 'masked' as comment")
        publish(
            warehouse,
            settings,
            run_id="run",
            relations=["core.dim"],
            restricted=["nps.comments"],
            fingerprint=Fingerprint(landing="", contracts="", dbt="", settings=""),
        )

    found = modes(settings.data)
    published = {path: mode for path, mode in found.items() if path.startswith("published")}
    assert found["."] == 0o755
    assert (found["dagster"], found["state"], found["warehouse"]) == (0o700, 0o700, 0o700)
    assert (found["state/demo.key"], found["state/key_fingerprint.json"]) == (0o600, 0o600)
    for path, mode in published.items():
        is_file = (settings.data / path).is_file()
        restricted = path.endswith("restricted.duckdb")
        assert mode == (0o600 if restricted else 0o444 if is_file else 0o755), path
    assert published_file(settings).is_file()


@pytest.mark.parametrize("umask", [0o000], indirect=True)
def test_what_dbt_makes_is_private(tmp_path: Path, umask: int) -> None:
    settings = Settings(data_dir=tmp_path, dbt_target_dir=tmp_path / "target")
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text("{name: n, profile: northstar, version: '1.0.0'}")
    (project / "profiles.yml").write_text(
        "{northstar: {target: w, outputs: {w: {type: duckdb, path: ':memory:'}}}}"
    )

    assert invoke(settings, ["parse"], variables={}, project_dir=project).success

    made = modes(settings.dbt_target)
    assert made
    assert {mode & 0o077 for mode in made.values()} == {0}
