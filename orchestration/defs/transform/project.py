"""The dbt project as Dagster sees it: its manifest and how nodes become assets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

from orchestration.defs.conventions import NIGHTLY, OWNERS
from orchestration.settings import read_settings
from orchestration.transforming import ensure_manifest, read_manifest
from orchestration.transforming.manifest import is_published, is_restricted


class Translator(DagsterDbtTranslator):
    """Groups and owners come from dbt's `meta.dagster`; descriptions are those of the YAML."""

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description without the SQL, which is in the repository."""
        return str(dbt_resource_props.get("description") or dbt_resource_props["name"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Who answers for a table; somebody always does."""
        return list(super().get_owners(dbt_resource_props) or OWNERS)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        """Published marts have to be fresh."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        if props["resource_type"] == "model" and (is_published(props) or is_restricted(props)):
            return spec.replace_attributes(freshness_policy=NIGHTLY)
        return spec


translator = Translator()


@cache
def manifest() -> Mapping[str, Any]:
    """The manifest; on a fresh clone the project is parsed for it, once."""
    found = read_manifest(ensure_manifest(read_settings()))
    attach_tests(found)
    return found


def attach_tests(found: Mapping[str, Any]) -> None:
    """Attach each test of several models to the first that it names.

    dagster-dbt makes no asset check of a test that is attached to nothing, and publishing must
    know of every test.
    """
    for node in found["nodes"].values():
        if node["resource_type"] == "test" and not node.get("attached_node"):
            models = [name for name in node["depends_on"]["nodes"] if not name.startswith("source")]
            node["attached_node"] = next(iter(models), None)


def published_marts() -> list[dg.AssetKey]:
    """The assets that are published, for everybody or for the owner of the restricted file."""
    return [
        translator.get_asset_spec(manifest(), unique_id, None).key
        for unique_id, node in manifest()["nodes"].items()
        if node["resource_type"] == "model" and (is_published(node) or is_restricted(node))
    ]
