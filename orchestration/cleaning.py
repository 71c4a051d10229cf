"""Removes what runs made and can make again; never own exports, never `data/state`."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from orchestration.demo import remove_demo
from orchestration.lock import rebuild_lock
from orchestration.settings import Settings


def clean(settings: Settings) -> list[Path]:
    """Remove the warehouse, published files, alerts, Dagster's home, dbt's target, demo exports.

    Returns:
        The files of the landing folder that stay: they are not the demo's.

    Raises:
        LockedError: a rebuild is running.
    """
    now = settings.model_copy(update={"lock_wait_seconds": 0})
    with rebuild_lock(now, f"clean-{uuid4()}"):
        stay = remove_demo(settings.landing)
        for folder in (
            settings.published,
            settings.dagster_home,
            settings.dbt_target,
            # What was wrong with a demo is not to hide what is wrong with own exports.
            settings.alerts,
        ):
            shutil.rmtree(folder, ignore_errors=True)
        # All but the lock, which is held.
        for entry in settings.warehouse.parent.iterdir():
            if entry == settings.lock:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    return stay
