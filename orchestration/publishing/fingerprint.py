"""What a publication was made from: if none of it changed, there is nothing to do."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from orchestration.digests import digest_of_folder
from orchestration.settings import Settings


class Fingerprint(BaseModel):
    """The inputs of a publication. Equal fingerprints give equal marts.

    Attributes:
        landing: digest of the inventory of the landing folder that the run loaded.
        contracts: digest of `data/sources/`.
        dbt: digest of the dbt project.
        settings: digest of the settings that change what is loaded, or figures.
        as_of: the day that was asked for; None where the newest export decides, which is part of
            `landing` then.
    """

    model_config = ConfigDict(frozen=True)

    landing: str
    contracts: str
    dbt: str
    settings: str
    as_of: date | None = None


def dbt_digest(dbt_project_dir: Path) -> str:
    """Digest of a dbt project: names and bytes of all its files but those that tools write."""
    return digest_of_folder(dbt_project_dir)


def contracts_digest(sources: Path) -> str:
    """Digest of the contracts: tracking plans, mappings, courses. Prose (`*.md`) is left out."""
    return digest_of_folder(sources, without_suffixes=(".md",))


def settings_digest(settings: Settings) -> str:
    """Digest of the settings that change what is loaded, or the figures made from it.

    As-of is a part of the fingerprint of its own. Settings that decide whether a run may publish
    are not in it: where one refused, nothing was published that could be "nothing new".
    """
    told = {
        "reporting_timezone": settings.reporting_timezone,
        "week_start": settings.week_start,
        "max_inflated_mb": settings.max_inflated_mb,
        "max_inflation_ratio": settings.max_inflation_ratio,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
