"""The code location as Dagster loads it on a fresh clone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt writes: empty, as on a fresh clone."""
    return tmp_path_factory.mktemp("clone") / "target"


@pytest.fixture(scope="module")
def definitions(target: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NORTHSTAR_DBT_TARGET_DIR", str(target))
        environment.setenv("NORTHSTAR_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        from orchestration.definitions import defs
        from orchestration.defs.transform.project import manifest

        manifest.cache_clear()
        yield defs()
        manifest.cache_clear()


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> AssetGraph:
    return definitions.resolve_asset_graph()


@pytest.fixture(scope="module")
def manifest(definitions: dg.Definitions) -> Mapping[str, Any]:
    assert definitions
    from orchestration.defs.transform.project import manifest

    return manifest()


def test_a_missing_manifest_is_made_while_loading(
    target: Path, manifest: Mapping[str, Any]
) -> None:
    assert (target / "manifest.json").exists()
    assert manifest["metadata"]["project_name"] == "northstar"


def test_every_table_of_the_raw_schema_that_loading_fills_is_an_asset(graph: AssetGraph) -> None:
    schema = resources.files("orchestration.loading").joinpath("schema.sql").read_text()
    tables = set(re.findall(r"create table if not exists raw\.(\w+)", schema)) - {"builds"}

    assert {key.path[1] for key in graph.get_all_asset_keys() if key.path[0] == "raw"} == tables


def test_every_source_of_dbt_is_a_raw_asset(graph: AssetGraph, manifest: Mapping[str, Any]) -> None:
    sources = {
        tuple(source["config"]["meta"]["dagster"]["asset_key"])
        for source in manifest["sources"].values()
    }

    assert len(sources) > 10
    assert sources <= {tuple(key.path) for key in graph.materializable_asset_keys}


def test_every_asset_says_what_it_is_and_who_answers_for_it(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key


def test_every_data_test_of_dbt_is_an_asset_check(
    graph: AssetGraph, manifest: Mapping[str, Any]
) -> None:
    checks = {key.name for key in graph.asset_check_keys}

    tests = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and not all(name.startswith("source") for name in node["depends_on"]["nodes"])
    }
    assert len(tests) > 100
    assert tests <= checks


def test_what_is_published_and_what_is_loaded_has_to_be_fresh(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        if key.path[0] in ("raw", "published", "core", "outcomes", "nps", "retention"):
            assert graph.get(key).freshness_policy is not None, key


def test_publishing_comes_after_every_mart(graph: AssetGraph, manifest: Mapping[str, Any]) -> None:
    marts = {
        (node["schema"], node["name"])
        for node in manifest["nodes"].values()
        if node["fqn"][1] == "marts" and node["resource_type"] == "model"
    }

    parents = {
        tuple(key.path) for key in graph.get(dg.AssetKey(["published", "northstar"])).parent_keys
    }
    assert len(marts) > 10
    assert parents == marts


def test_the_job_does_everything_in_one_process_and_one_pool(
    definitions: dg.Definitions, graph: AssetGraph
) -> None:
    job = definitions.resolve_job_def("rebuild")

    assert job.executor_def is dg.in_process_executor
    assert set(job.asset_layer.executable_asset_keys) == set(graph.materializable_asset_keys)
    assert {node.definition.pool for node in job.graph.nodes} == {"warehouse"}  # type: ignore[attr-defined]
    assert [node.name for node in job.graph.nodes_in_topological_order] == [
        "load_landing",
        "check_what_was_loaded",
        "dbt_models",
        "published__northstar",
    ]


def test_other_jobs_run_in_one_process_too(definitions: dg.Definitions) -> None:
    """The lock is held by a resource, which lives as long as the process of its steps."""
    assert (
        definitions.resolve_implicit_global_asset_job_def().executor_def is dg.in_process_executor
    )


def test_sensor_and_schedule_are_there(definitions: dg.Definitions) -> None:
    assert definitions.resolve_sensor_def("landing_files").job_name == "rebuild"
    assert definitions.resolve_schedule_def("daily").job_name == "rebuild"
