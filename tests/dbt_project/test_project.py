"""What every model, source and test has, so that nothing is published unexplained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.settings import DBT_PROJECT_DIR, REPOSITORY
from tests.dbt_project.harness import parsed_project


@pytest.fixture(scope="module")
def manifest() -> Any:
    return parsed_project()[0]


def _models(manifest: Any) -> list[Any]:
    return [node for node in manifest.nodes.values() if node.resource_type == "model"]


def _marts(manifest: Any) -> list[Any]:
    return [model for model in _models(manifest) if model.config.meta.get("published")]


def test_every_model_says_what_one_row_is(manifest: Any) -> None:
    silent = [m.name for m in _models(manifest) if not m.description.strip().startswith("One row")]
    assert silent == []


def test_every_mart_has_a_contract_whose_columns_are_all_described(manifest: Any) -> None:
    for mart in _marts(manifest):
        assert mart.contract.enforced, mart.name
        bare = [name for name, column in mart.columns.items() if not column.description]
        assert bare == [], mart.name
        types = {column.data_type.lower() for column in mart.columns.values()}
        # Older drivers of BI tools cannot read these.
        assert not types & {"hugeint", "uhugeint", "variant"}, mart.name


def test_no_yaml_says_a_thing_twice() -> None:
    """Of two keys of one name YAML keeps the last, without a word."""
    for path in sorted((DBT_PROJECT_DIR / "models").rglob("*.yml")):
        _refuse_twins(yaml.compose(path.read_text()), path)


def _refuse_twins(node: yaml.Node | None, path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        twins = {name for name in names if names.count(name) > 1}
        assert not twins, f"{path.name}, line {node.start_mark.line + 1}: {twins}"
        for _, value in node.value:
            _refuse_twins(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twins(value, path)


def test_variables_are_by_default_what_the_definitions_say() -> None:
    """Another default is another figure: it is decided, written down and then changed here."""
    variables = yaml.safe_load((DBT_PROJECT_DIR / "dbt_project.yml").read_text())["vars"]
    documented = {
        "reporting_timezone": "Europe/Paris",
        "week_start": "monday",
        "as_of": None,
        "grace_period_days": 7,
        "min_at_risk": 10,
        "suppress_below": 10,
        "attribution_lookback_days": 90,
        "small_group": 30,
        "asked_again_days": 90,
        "full_time_hours": 35,
        "outcome_development_months": 24,
        "forecast_min_years": 3,
    }
    assert {name: variables.get(name, "missing") for name in documented} == documented


def test_every_mart_has_a_test_of_its_key(manifest: Any) -> None:
    tested = {
        node.attached_node
        for node in manifest.nodes.values()
        if node.resource_type == "test"
        and getattr(node, "test_metadata", None)
        and node.test_metadata.name in ("unique", "unique_combination")
    }
    tables = [mart for mart in _marts(manifest) if mart.config.materialized != "view"]
    assert [table.name for table in tables if table.unique_id not in tested] == []


def test_every_mart_has_a_group_and_owners_for_the_asset_graph(manifest: Any) -> None:
    for mart in _marts(manifest):
        assert mart.config.meta["dagster"]["group"] == mart.schema, mart.name
        assert mart.config.meta["dagster"]["owners"], mart.name


def test_every_raw_table_is_a_source_with_its_asset_key(manifest: Any) -> None:
    schema = (REPOSITORY / "orchestration" / "loading" / "schema.sql").read_text()
    words = schema.split()
    tables = {word.removeprefix("raw.") for word in words if word.startswith("raw.")}
    created = {name for name in tables if f"create table if not exists raw.{name} (" in schema}
    keys = {
        source.name: (source.meta or source.config.meta)["dagster"]["asset_key"]
        for source in manifest.sources.values()
    }
    assert keys == {name: ["raw", name] for name in created - {"builds", "schema_version"}}


def test_the_exposure_names_everything_that_is_published(manifest: Any) -> None:
    exposure = manifest.exposures["exposure.northstar.published_file"]
    assert set(exposure.depends_on.nodes) == {mart.unique_id for mart in _marts(manifest)}


def test_comments_are_restricted_and_in_no_published_column(manifest: Any) -> None:
    restricted = [model for model in _models(manifest) if model.config.meta.get("restricted")]
    assert [model.name for model in restricted] == ["nps_comments"]
    for model in restricted:
        assert not model.config.meta["published"]
        assert model.contract.enforced
        assert model.config.meta["dagster"]["group"] == model.schema
    for mart in _marts(manifest):
        assert not {"comment", "feedback"} & set(mart.columns), mart.name


def test_no_test_of_a_mart_lets_bad_rows_pass(manifest: Any) -> None:
    published = {mart.unique_id for mart in _marts(manifest)}
    for node in manifest.nodes.values():
        if node.resource_type == "test" and published & set(node.depends_on.nodes):
            assert node.config.severity.upper() == "ERROR", node.name
            assert node.config.error_if == "!= 0", node.name


def test_singular_tests_open_with_what_would_go_wrong_without_them() -> None:
    for file in _singular_tests():
        assert file.read_text().startswith("-- "), file.name


def test_models_hold_no_function_that_only_one_engine_knows() -> None:
    # What DuckDB and Spark spell differently is called through macros/engine.
    of_duckdb = ("unnest(", "generate_series(", "timezone(", "epoch_us(", "arg_min(", "arg_max(",
                 "list_sort(", "array_to_string(", "date_diff(", "date_sub(", "quantile_cont(",
                 "strftime(", "now()", "current_date", "current_timestamp", "qualify ")  # fmt: skip
    files = [
        *(DBT_PROJECT_DIR / "models").rglob("*.sql"),
        *(file for file in (DBT_PROJECT_DIR / "macros").rglob("*.sql") if _is_portable(file)),
    ]
    for file in files:
        text = file.read_text().lower()
        assert [name for name in of_duckdb if name in text] == [], file


def _singular_tests() -> list[Path]:
    folder = DBT_PROJECT_DIR / "tests"
    return [file for file in folder.rglob("*.sql") if file.parent != folder / "generic"]


def _is_portable(file: Path) -> bool:
    return file.parent.name != "engine"
