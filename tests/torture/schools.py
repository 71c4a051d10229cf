"""Schools to do damage to: exports that arrive in two batches, and data before and after."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import dedent

from orchestration.demo import MARKER_NAME, write_demo
from orchestration.settings import REPOSITORY, Settings
from tests.end_to_end.conftest import SMALL_PROJECT, copy_repository
from tests.torture.inspection import Inspected, inspect
from tests.torture.runs import Run, RunServer

# One key for all schools, so that the keys in their marts are the same.
SECRET = "a secret of the tests of damage, 0123456789abcdef"

# A mart that is built day by day, besides those that are built anew: half of one would be wrong.
_PROJECT: Mapping[str, str] = {
    **SMALL_PROJECT,
    "models/intermediate/_sources.yml": """
        sources:
          - name: raw
            config: {meta: {dagster: {asset_key: [raw, loaded_files]}}}
            tables:
              - name: loaded_files
              - name: touched_days
                config: {meta: {dagster: {asset_key: [raw, touched_days]}}}
              - name: tracking_plan
                config: {meta: {dagster: {asset_key: [raw, tracking_plan]}}}
              - name: events
                config: {meta: {dagster: {asset_key: [raw, events]}}}
        """,
    "models/intermediate/int_days.sql": """
        {{ config(materialized="incremental", incremental_strategy="replace_days") }}
        select
            {{ local_date("event_at") }} as activity_date,
            count(*) as events,
            '{{ rules_hash() }}' as rules_hash
        from {{ source("raw", "events") }}
        where duplicate_reason is null and {{ in_touched_days("event_at") }}
        group by 1
        """,
    "models/marts/fct_days.sql": """
        select activity_date, events from {{ ref("int_days") }}
        """,
    "models/marts/loaded_files.sql": """
        {{ config(schema="ops") }}
        select
            path,
            source,
            status,
            newest_at as newest_export_at,
            rows_in,
            loaded as rows_loaded,
            duplicates as rows_duplicate,
            quarantined as rows_quarantined,
            not_in_plan as rows_not_in_plan,
            erased as rows_erased
        from {{ source("raw", "loaded_files") }}
        """,
    "models/marts/marts.yml": """
        models:
          - name: fct_events
            config:
              meta:
                snapshot:
                  - {figure: events, value: sum(events)::bigint}
            columns:
              - name: event_type
                data_tests: [unique, not_null]
          - name: dim_event_types
            columns:
              - name: event_type
                data_tests: [unique]
          - name: fct_days
            columns:
              - name: activity_date
                data_tests: [unique]
        """,
}
# The figure that is remembered needs a month.
_MONTHLY = """
    select event_type, (select as_of_date from {{ ref("int_as_of") }}) as as_of_date,
        date_trunc('month', (select as_of_date from {{ ref("int_as_of") }}) - 1)::date as month,
        count(*) as events
    from {{ source("raw", "events") }}
    where duplicate_reason is null
    group by event_type
    """


# Of the demo's exports: every kind of file, and few of each.
_FEW = (
    "amplitude/100042/*",
    "amplitude/*-01.zip",
    "satismeter/*",
    "surveys/nps*",
    "zendesk/tickets/*",
    "zendesk/ticket_events/*",
)


@dataclass
class Grounds:
    """A repository whose job is run again and again, and data folders to start from.

    Attributes:
        repository: the copy that is run.
        server: runs it.
        folder: for data folders.
        landing: all exports, as of the end.
        early: the exports that arrive first.
    """

    repository: Path
    server: RunServer
    folder: Path
    landing: Path
    early: Path
    _count: int = field(default=0, init=False)

    def new_folder(self) -> Path:
        """A data folder that is not there yet."""
        self._count += 1
        return self.folder / f"data-{self._count}"

    def fresh(self) -> Path:
        """Data of a school whose exports lie there, and of which nothing was ever run."""
        data = self.new_folder()
        shutil.copytree(self.landing, data / "landing")
        return data

    def updated(self) -> Path:
        """Data of a school that has published its early exports, and has got all of them since."""
        data = self.copy(self._early_data)
        shutil.rmtree(data / "landing")
        shutil.copytree(self.landing, data / "landing")
        return data

    def copy(self, data: Path) -> Path:
        """A data folder like another one."""
        target = self.new_folder()
        shutil.copytree(data, target, symlinks=True)
        return target

    @cached_property
    def first(self) -> Reference:
        """What a run without any disturbance publishes, where nothing was published before."""
        return self._undisturbed(self.fresh())

    @cached_property
    def update(self) -> Reference:
        """What a run without any disturbance publishes upon the early exports."""
        return self._undisturbed(self.updated())

    @cached_property
    def _early_data(self) -> Path:
        data = self.new_folder()
        shutil.copytree(self.early, data / "landing")
        self.server.run(data)
        return data

    def _undisturbed(self, data: Path) -> Reference:
        before = inspect(data / "published")
        run = self.server.run(data)
        after = inspect(data / "published")
        assert after is not None
        return Reference(data, run, before, after)


@dataclass(frozen=True)
class Reference:
    """A run that nothing disturbed.

    Attributes:
        data: its data folder.
        run: the run, with how long its stages took.
        before: what was published before it; null where nothing was.
        after: what it published.
    """

    data: Path
    run: Run
    before: Inspected | None
    after: Inspected


def small_grounds(folder: Path, stack: ExitStack) -> Grounds:
    """Grounds with a small dbt project: locks, kills and disks do not depend on its size."""
    repository = copy_repository(folder / "repository", with_project=False)
    project = repository / "dbt_project"
    for name in ("incremental", "engine", "generate_schema_name.sql"):
        source = REPOSITORY / "dbt_project" / "macros" / name
        if source.is_dir():
            shutil.copytree(source, project / "macros" / name)
        else:
            shutil.copy(source, project / "macros" / name)
    shutil.copy(REPOSITORY / "dbt_project" / "profiles.yml", project / "profiles.yml")
    for name, content in {**_PROJECT, "models/marts/fct_events.sql": _MONTHLY}.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))
    return _grounds(folder, repository, stack, learners=20, months=1, kept=_FEW)


def real_grounds(folder: Path, stack: ExitStack) -> Grounds:
    """Grounds with the real dbt project and few learners."""
    repository = copy_repository(folder / "repository", with_project=True)
    return _grounds(folder, repository, stack, learners=40, months=3)


def _grounds(
    folder: Path,
    repository: Path,
    stack: ExitStack,
    *,
    learners: int,
    months: int,
    kept: Sequence[str] = ("**/*",),
) -> Grounds:
    demo, landing, early, logs = (folder / name for name in ("demo", "all", "early", "logs"))
    write_demo(demo, learners=learners, months=months)
    # Own exports from here on, which may arrive, change and go.
    (demo / MARKER_NAME).unlink()
    for path in {path for pattern in kept for path in demo.glob(pattern) if path.is_file()}:
        target = landing / path.relative_to(demo)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    _leave_out_some(landing, early)
    logs.mkdir()
    own = {name: value for name, value in os.environ.items() if "NORTHSTAR" not in name}
    data = folder / "data"
    data.symlink_to(folder)
    environment = {
        **own,
        "NORTHSTAR_DATA_DIR": str(data),
        "NORTHSTAR_SECRET": SECRET,
        "NORTHSTAR_MAX_QUARANTINED_SHARE": "0.5",
    }
    # The manifest, as `make ui` makes it: what parses a project is no process to be forked.
    subprocess.run(
        [sys.executable, "-m", "orchestration", "home"],
        cwd=repository,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    server = stack.enter_context(RunServer(repository, environment, logs))
    return Grounds(repository, server, folder, landing, early)


def _leave_out_some(landing: Path, early: Path) -> None:
    """Early exports: some files are still to come, one will be corrected, and one will go."""
    shutil.copytree(landing, early)
    files = sorted(path.relative_to(early) for path in early.rglob("*") if path.is_file())
    hourly = [path for path in files if path.name.endswith("#0.json.gz")]
    assert len(hourly) > 4
    for path in {*files[::5], hourly[-1]} - {*hourly[:2]}:
        (early / path).unlink()
    lines = gzip.decompress((early / hourly[0]).read_bytes()).splitlines(keepends=True)
    (early / hourly[0]).write_bytes(gzip.compress(b"".join(lines[: len(lines) // 2])))
    (landing / hourly[1]).unlink()


def settings_of(data: Path) -> Settings:
    """The settings of a data folder, as this process sees them."""
    return Settings(data_dir=data)
