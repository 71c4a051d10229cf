"""The one job: load, build, audit, publish."""

from __future__ import annotations

import dagster as dg

REBUILD = "rebuild"

rebuild = dg.define_asset_job(
    REBUILD,
    selection=dg.AssetSelection.all(),
    description="Load what is new, build and test the marts, publish them when everything passed.",
    executor_def=dg.in_process_executor,
)
