"""A school whose exports are full of canaries, after one run of the real job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import School, copy_repository, keep_only
from tests.erasing.canaries import plant

SETTINGS = {
    "NORTHSTAR_SECRET": "a secret of the tests' own",
    # Half of what is planted is broken.
    "NORTHSTAR_MAX_QUARANTINED_SHARE": "1",
}
KEPT = ("agg_career_outcomes", "fct_outcome_reports", "nps_comments", "loaded_files")


@pytest.fixture(scope="session")
def canary_school(tmp_path_factory: pytest.TempPathFactory) -> School:
    """A school that has published once; DuckDB writes nothing compressed there."""
    folder = tmp_path_factory.mktemp("canaries")
    school = School(copy_repository(folder / "repository", with_project=True), folder / "data")
    keep_only(school.repository, KEPT)
    _write_uncompressed(school.repository)
    plant(school.settings.landing)
    done = run(school, "run")
    assert done.returncode == 0, done.stderr + done.stdout
    return school


def run(
    school: School, command: str, given: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with something on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", command],
        cwd=school.repository,
        env=school.environment | SETTINGS | settings,
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _write_uncompressed(repository: Path) -> None:
    """Both writers of the warehouse: compression would hide strings from a search of bytes."""
    warehouse = repository / "orchestration" / "loading" / "warehouse.py"
    setting = '"autoinstall_known_extensions": False,'
    told = warehouse.read_text()
    assert setting in told
    warehouse.write_text(told.replace(setting, setting + ' "force_compression": "uncompressed",'))
    profile = repository / "dbt_project" / "profiles.yml"
    setting = "        TimeZone: UTC\n"
    told = profile.read_text()
    assert setting in told
    profile.write_text(told.replace(setting, setting + "        force_compression: uncompressed\n"))
