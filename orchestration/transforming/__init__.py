"""Runs dbt inside this process. Importing it costs nothing: dbt is imported when it is used."""

from orchestration.transforming.building import Answer, BuildResult, FinishedNode, build
from orchestration.transforming.history import forget_builds, last_built_digest, record_build
from orchestration.transforming.manifest import (
    ensure_manifest,
    parse,
    published_relations,
    read_manifest,
    restricted_relations,
    snapshots,
)
from orchestration.transforming.variables import dbt_variables, project_digest

__all__ = [
    "Answer",
    "BuildResult",
    "FinishedNode",
    "build",
    "dbt_variables",
    "ensure_manifest",
    "forget_builds",
    "last_built_digest",
    "parse",
    "project_digest",
    "published_relations",
    "read_manifest",
    "record_build",
    "restricted_relations",
    "snapshots",
]
