"""What a rebuild would be made from: whether there is anything to do, without the warehouse."""

from __future__ import annotations

import hashlib

from orchestration.demo import MARKER_NAME, foreign_files, is_unfinished, read_marker
from orchestration.errors import LandingError
from orchestration.landing import Inventory
from orchestration.publishing import (
    Fingerprint,
    contracts_digest,
    dbt_digest,
    nothing_new,
    settings_digest,
)
from orchestration.secret import count_rotations
from orchestration.settings import DBT_PROJECT_DIR, Settings
from orchestration.tombstones import School, read_tombstones


def fingerprint(settings: Settings, inventory: Inventory) -> Fingerprint:
    """The inputs as they are now: exports, contracts, models and settings."""
    return Fingerprint(
        landing=_loaded_digest(settings, inventory),
        contracts=contracts_digest(settings.sources),
        dbt=dbt_digest(DBT_PROJECT_DIR),
        settings=settings_digest(settings),
        as_of=settings.as_of,
    )


def school_of(settings: Settings) -> School:
    """Whose exports lie in the landing folder; `is_demo` says whether they may be used."""
    return "demo" if (settings.landing / MARKER_NAME).exists() else "own"


def _loaded_digest(settings: Settings, inventory: Inventory) -> str:
    """What is loaded depends on the exports, and on who was erased and which key is in force."""
    rotations = count_rotations(settings)
    tombstones = read_tombstones(settings, school_of(settings)).digest
    if not rotations and not tombstones:
        return inventory.digest
    told = f"{inventory.digest} {tombstones} {rotations}"
    return hashlib.sha256(told.encode()).hexdigest()


def batch_digest(settings: Settings, inventory: Inventory) -> str:
    """What a run is asked for by the sensor: these files, under the settings of now.

    A setting that was raised so that a file can be read is as good as a new file. Contracts and
    models are left out: they are edited in place, and no run is to begin in the middle of it.
    """
    told = f"{inventory.digest} {settings_digest(settings)} {settings.as_of}"
    return hashlib.sha256(told.encode()).hexdigest()


def is_published(settings: Settings, inventory: Inventory) -> bool:
    """Whether the published file was made from just these exports and everything as it is now."""
    return nothing_new(settings, fingerprint(settings, inventory))


def is_demo(settings: Settings) -> bool:
    """Whether the landing folder holds demo exports rather than own ones.

    Raises:
        LandingError: it holds both, or half of a demo: figures of invented people are no figures.
    """
    if read_marker(settings.landing) is None:
        return False
    if is_unfinished(settings.landing):
        raise LandingError(
            f"{settings.landing} holds a demo that was not finished. Run `make run`, which writes "
            "it anew, or remove it with `make clean`."
        )
    foreign = foreign_files(settings.landing)
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise LandingError(
            f"{settings.landing} holds demo exports and own files ({foreign[0].name}{more}). The "
            "figures of invented and real people must not mix: remove the demo with `make clean`, "
            "which leaves your files alone, and run again."
        )
    return True
