"""BI tools bring drivers of their own, years older than the pipeline's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration.publishing import Publication, published_file
from orchestration.settings import Settings

READ = """
import json, sys
import duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
def ask(sql):
    return con.execute(sql).fetchall()
print(json.dumps({
    "version": duckdb.__version__,
    "catalog": ask("select current_database()")[0][0],
    "learners": ask(
        "select learner_key::varchar, signup_date::varchar, courses, credits::varchar, "
        "map_values(traits), nested.a from northstar.core.dim_learners order by signup_date"
    ),
    "empty": ask("select count(*) from nps.agg_nps")[0][0],
    "as_of": ask("select as_of::varchar from ops.published_at")[0][0],
    "comments": ask("select comment from duckdb_tables() where table_name = 'dim_learners'")
    + ask("select comment from duckdb_columns() where comment is not null"
          " and table_name = 'dim_learners'"),
}))
"""

# The newest wheels of 1.0 are for Python 3.12.
OLDER = [("1.0.0", (3, 12)), ("1.4.4", (3, 14))]


def wheel(version: str, folder: Path) -> Path:
    """Install an older driver into a folder of its own, or skip where it cannot be had."""
    pip = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--only-binary", ":all:", "--retries", "1", "--timeout", "30"),
            *("--target", str(folder), f"duckdb=={version}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if pip.returncode != 0:
        reason = (pip.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"duckdb {version} cannot be installed here: {reason}")
    return folder


def _read_with(python_path: Path | None, file: Path) -> dict[str, object]:
    environment = {**os.environ, "PYTHONPATH": "" if python_path is None else str(python_path)}
    told = subprocess.run(
        [sys.executable, "-c", READ, str(file)],
        cwd=file.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    answer: dict[str, object] = json.loads(told.stdout)
    return answer


def _expected(version: str) -> dict[str, object]:
    key = "00000000-0000-0000-0000-00000000000"
    return {
        "version": version,
        "catalog": "northstar",
        "learners": [
            [f"{key}1", "2026-01-01", ["a", "b"], "1.500", ["v"], 1],
            [f"{key}2", "2026-01-02", [], None, [], None],
            [f"{key}3", "2026-01-03", None, "2.000", None, None],
        ],
        "empty": 0,
        "as_of": "2026-11-01",
        "comments": [["The learner's row; not the person's."], ['Credits, "as decimals".']],
    }


def test_the_current_driver_opens_the_published_file(
    publish_it: Callable[..., Publication], settings: Settings
) -> None:
    publish_it()
    assert _read_with(None, published_file(settings)) == _expected(duckdb.__version__)


@pytest.mark.parametrize(("version", "newest_python"), OLDER)
def test_an_older_driver_opens_the_published_file(
    publish_it: Callable[..., Publication],
    settings: Settings,
    tmp_path: Path,
    version: str,
    newest_python: tuple[int, int],
) -> None:
    if sys.version_info[:2] > newest_python:
        pytest.skip(
            f"duckdb {version} has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]}"
        )
    publish_it()
    found = _read_with(wheel(version, tmp_path / "wheel"), published_file(settings))
    assert found == _expected(version)
