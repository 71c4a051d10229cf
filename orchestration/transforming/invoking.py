"""One invocation of dbt in this process, with the file lock of DuckDB given back afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.modes import private_files
from orchestration.settings import Settings
from orchestration.transforming.quickening import quickened
from orchestration.transforming.variables import Variables

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt_common.events.base_types import EventMsg

# Quiet, since whoever calls tells the events; no version check and no usage statistics, since
# nothing needs the internet; no artifacts but the manifest, which `parse` alone writes.
_GLOBAL_FLAGS = (
    "--no-use-colors",
    "--no-version-check",
    "--no-send-anonymous-usage-stats",
    "--log-level=none",
    "--log-level-file=none",
)


def invoke(
    settings: Settings,
    command: Sequence[str],
    *,
    variables: Variables,
    project_dir: Path,
    callback: Callable[[EventMsg], None] | None = None,
    heard: Sequence[str] = (),
) -> dbtRunnerResult:
    """Run one dbt command. `dbtRunner` avoids a process that costs seconds to start.

    Args:
        settings: where the warehouse is, and how much memory and how many threads it may use.
        command: dbt's command with its options.
        variables: handed to dbt.
        project_dir: the project.
        callback: told of warnings, errors, and the events that `heard` names.
        heard: names of dbt's events.
    """
    from dbt.cli.main import dbtRunner

    arguments = [
        *_GLOBAL_FLAGS,
        *command,
        f"--project-dir={project_dir}",
        f"--profiles-dir={project_dir}",
        f"--target-path={settings.dbt_target}",
        f"--log-path={settings.dbt_target / 'logs'}",
        f"--vars={json.dumps(dict(variables), sort_keys=True)}",
    ]
    templates = settings.dbt_target / "templates.bin"
    with (
        private_files(),
        _environment(settings),
        quickened(heard, templates),
        _connections_closed(),
    ):
        return dbtRunner(callbacks=[callback] if callback else []).invoke(arguments)


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """Hand the settings to `profiles.yml`, which can read nothing but the environment."""
    values = {
        "NORTHSTAR_WAREHOUSE": str(settings.warehouse),
        "NORTHSTAR_MEMORY_LIMIT": settings.memory_limit,
        "NORTHSTAR_THREADS": str(settings.threads or os.cpu_count() or 1),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _connections_closed() -> Iterator[None]:
    """Close what dbt-duckdb opened: it keeps the database, and with it the lock, for reuse."""
    try:
        yield
    finally:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.adapters.factory import reset_adapters

        reset_adapters()  # type: ignore[no-untyped-call]
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager.close_all_connections()
