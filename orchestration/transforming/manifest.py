"""The manifest: what dbt knows of the project, written once and read by whoever needs it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.errors import TransformError
from orchestration.settings import DBT_PROJECT_DIR, Settings
from orchestration.transforming.invoking import invoke
from orchestration.transforming.variables import dbt_variables, project_digest

Manifest = Mapping[str, Any]


def ensure_manifest(settings: Settings, *, project_dir: Path = DBT_PROJECT_DIR) -> Path:
    """The path of a manifest that is that of the project's files, parsing them when it is not.

    Parsing takes seconds, so it is done once for each state of the project, not by every process:
    the digest of what was parsed lies beside the manifest. Processes that start together wait for
    the one that parses.
    """
    with _parsing_lock(settings):
        digest = project_digest(dbt_variables(settings), project_dir)
        note = _digest_file(settings)
        path = settings.dbt_target / "manifest.json"
        if path.exists() and note.exists() and note.read_text() == digest:
            return path
        return _parse(settings, digest, project_dir)


def parse(settings: Settings, *, project_dir: Path = DBT_PROJECT_DIR) -> Path:
    """Parse the project and write its manifest, whatever is there already.

    Raises:
        TransformError: the project does not parse.
    """
    with _parsing_lock(settings):
        digest = project_digest(dbt_variables(settings), project_dir)
        return _parse(settings, digest, project_dir)


def _parse(settings: Settings, digest: str, project_dir: Path) -> Path:
    _digest_file(settings).unlink(missing_ok=True)
    result = invoke(settings, ["parse"], variables=dbt_variables(settings), project_dir=project_dir)
    if not result.success:
        raise TransformError(
            f"dbt cannot read {project_dir}: {result.exception}. Correct the file that it names."
        )
    _digest_file(settings).write_text(digest)
    return settings.dbt_target / "manifest.json"


def read_manifest(path: Path) -> Manifest:
    """The manifest as a dictionary."""
    manifest: Manifest = json.loads(path.read_bytes())
    return manifest


def published_relations(manifest: Manifest) -> list[str]:
    """`schema.table` of the models that are published: those with `meta.published`."""
    return sorted(
        f"{node['schema']}.{node['alias']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and is_published(node)
    )


def restricted_relations(manifest: Manifest) -> list[str]:
    """`schema.table` of the models that only the owner may read: those with `meta.restricted`."""
    return sorted(
        f"{node['schema']}.{node['alias']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and is_restricted(node)
    )


def snapshots(manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """By `schema.table` of a published model, its figures that are remembered: `meta.snapshot`."""
    return {
        f"{node['schema']}.{node['alias']}": list(node["config"]["meta"]["snapshot"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and is_published(node)
        and node["config"]["meta"].get("snapshot")
    }


def is_published(node: Mapping[str, Any]) -> bool:
    """Whether a model of the manifest belongs to the published tables."""
    return bool(node["config"].get("meta", {}).get("published"))


def is_restricted(node: Mapping[str, Any]) -> bool:
    """Whether a model of the manifest goes to the restricted file, and to no other."""
    return bool(node["config"].get("meta", {}).get("restricted"))


def _digest_file(settings: Settings) -> Path:
    return settings.dbt_target / "parsed.sha256"


@contextmanager
def _parsing_lock(settings: Settings) -> Iterator[None]:
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    with (settings.dbt_target / ".parsing.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
