"""DAGSTER_HOME: Dagster's folder of runs and events, configured as the repository says."""

from __future__ import annotations

from pathlib import Path

from orchestration.durable import write_file
from orchestration.modes import make_folder
from orchestration.settings import REPOSITORY, Settings

_CONFIGURATION = REPOSITORY / "dagster.yaml"


def prepare_home(settings: Settings) -> Path:
    """Make the folder, and put `dagster.yaml` there when it is not that of the repository."""
    home = settings.dagster_home
    make_folder(settings.data)
    home.mkdir(exist_ok=True)
    # Logs of runs are for whoever may see the exports.
    home.chmod(0o700)
    wanted = _CONFIGURATION.read_bytes()
    copy = home / _CONFIGURATION.name
    if not copy.exists() or copy.read_bytes() != wanted:
        # In one step: another process may be reading it, and would take half of it for all.
        write_file(copy, wanted, 0o644)
    return home
