"""Turns finished dbt nodes into what Dagster shows: materializations and check results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from sqlglot.errors import SqlglotError

from orchestration.defs.transform.plots import plots_of
from orchestration.transforming import FinishedNode
from orchestration.transforming.lineage import Columns, KeptLineage

# Schema and name of a table.
Place = tuple[str, str]

DagsterEvent = (
    dg.Output[Any]
    | dg.AssetMaterialization
    | dg.AssetObservation
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
)


class _FinishedNodeMessage(DbtCoreCliEventMessage):
    """As dagster-dbt reads it from dbt's log, but of the event that ends a node of any kind."""

    @property
    def is_result_event(self) -> bool:
        return not self.raw_event["data"]["node_info"]["unique_id"].startswith("unit_test")


class EventConverter:
    """Converts the nodes of one build, in the order in which they finish.

    Keeps the columns of all tables seen, from which the lineage of columns is derived.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        manifest: Mapping[str, Any],
        translator: DagsterDbtTranslator,
        target_path: Path,
        columns: Mapping[Place, Columns],
    ) -> None:
        """Begin.

        Args:
            context: of the step.
            manifest: of the project.
            translator: names the assets.
            target_path: where dbt puts compiled SQL.
            columns: of the tables that exist before the build.
        """
        self._context = context
        self._manifest = manifest
        self._translator = translator
        self._compiled = target_path / "compiled"
        self._kept_lineage = KeptLineage(target_path / "lineage.json")
        self._columns = dict(columns)

    def finish(self) -> None:
        """Keep for the next build what was found out in this one."""
        self._kept_lineage.save()

    def convert(self, node: FinishedNode) -> Iterator[DagsterEvent]:
        """The events of one finished node; none for unit tests, which the build result judges."""
        properties = self._manifest["nodes"].get(node.unique_id)
        if properties is None:
            return
        if node.columns:
            self._columns[_place(properties)] = node.columns
        event = {
            "info": node.event["info"],
            "data": {**node.event["data"], "num_failures": node.failures},
        }
        message = _FinishedNodeMessage(event, {"columns": _typed(node.columns)})
        for converted in message.to_default_asset_events(
            self._manifest, self._translator, self._context
        ):
            if isinstance(converted, dg.Output):
                yield converted.with_metadata(
                    {**converted.metadata, **self._figures(node, properties)}
                )
            elif isinstance(converted, dg.AssetCheckResult):
                yield from self._judged(converted)
            else:
                yield converted

    @cached_property
    def _selected_checks(self) -> frozenset[dg.AssetCheckKey]:
        return frozenset(self._context.selected_asset_check_keys)

    def _judged(self, result: dg.AssetCheckResult) -> Iterator[DagsterEvent]:
        """What Dagster makes of the result of a test.

        Dagster looks through all tests for each of them: of a few hundred tests in one step that
        takes longer than the tests.
        """
        try:
            step = self._context.op_execution_context.get_step_execution_context()
            key = dg.AssetCheckKey(cast(dg.AssetKey, result.asset_key), str(result.check_name))
            if key not in self._selected_checks:
                raise AttributeError("one that was not expected")
            output = dg.Output(None, step.job_def.asset_layer.get_op_output_name(key))
            evaluation = dg.AssetCheckEvaluation(
                check_name=key.name,
                asset_key=key.asset_key,
                passed=result.passed,
                metadata=result.metadata,
                target_materialization_data=result._get_target_materialization_data(step, key),
                severity=result.severity,
                description=result.description,
                blocking=self._context.assets_def.get_spec_for_check_key(key).blocking,
            )
        except (AttributeError, TypeError):
            yield result  # what it does not know, and another Dagster, does it itself
        else:
            yield output
            yield evaluation

    def _figures(self, node: FinishedNode, properties: Mapping[str, Any]) -> dict[str, Any]:
        figures: dict[str, Any] = plots_of(node, self._context.log.warning)
        if node.row_count is not None:
            figures["dagster/row_count"] = node.row_count
        if node.resource_type == "model":
            try:
                figures["dagster/column_lineage"] = self._lineage(properties)
            except (OSError, SqlglotError) as error:
                # A picture in the UI is worth no failed run.
                self._context.log.warning("No column lineage of %s: %s", node.name, error)
        return figures

    def _lineage(self, properties: Mapping[str, Any]) -> dg.TableColumnLineage:
        """Which columns of which assets a model's columns are made from."""
        path = self._compiled / properties["package_name"] / properties["original_file_path"]
        parents = {
            _place(parent): self._translator.get_asset_spec(
                self._manifest, parent["unique_id"], None
            ).key
            for parent in self._parents(properties)
        }
        tables = {place: self._columns[place] for place in parents if place in self._columns}
        made_from = self._kept_lineage.of(path.read_text(), tables)
        return dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(parents[source.schema, source.table], source.column)
                    for source in sources
                    if (source.schema, source.table) in parents
                ]
                for column, sources in made_from.items()
            }
        )

    def _parents(self, properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for unique_id in self._manifest["parent_map"][properties["unique_id"]]:
            yield self._manifest["nodes"].get(unique_id) or self._manifest["sources"][unique_id]


def _place(properties: Mapping[str, Any]) -> Place:
    return properties["schema"], properties.get("alias") or properties["identifier"]


def _typed(columns: Columns) -> dict[str, dict[str, str]]:
    return {name: {"data_type": kind} for name, kind in columns.items()}
