"""What a build depends on besides its data: the project's files and the variables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from orchestration.digests import digest_of_folder
from orchestration.settings import DBT_PROJECT_DIR, Settings

Variables = Mapping[str, str | int | None]


def dbt_variables(settings: Settings) -> dict[str, str | int | None]:
    """The settings that are rules of the models; what is not set keeps the project's own value."""
    variables: dict[str, str | int | None] = {
        "reporting_timezone": settings.reporting_timezone,
        "week_start": settings.week_start,
    }
    if settings.as_of is not None:
        variables["as_of"] = settings.as_of.isoformat()
    return variables


def project_digest(variables: Variables, project_dir: Path = DBT_PROJECT_DIR) -> str:
    """Digest of the project's files and the variables: equal ones build the same tables."""
    told = f"{digest_of_folder(project_dir)} {json.dumps(dict(variables), sort_keys=True)}"
    return hashlib.sha256(told.encode()).hexdigest()
