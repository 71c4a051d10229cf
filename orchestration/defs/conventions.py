"""What all assets have in common."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

OWNERS = ["team:impact-data"]

# Its limit of 1 (dagster.yaml) shows in the UI that one step at a time works on the warehouse. What
# keeps two runs apart is the rebuild lock.
WAREHOUSE_POOL = "warehouse"

# Exports come every night. A day off is worth a glance, three are worth a call. Nights without
# anything new materialise nothing, so this tells about the exports as well as about the pipeline.
NIGHTLY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=36), fail_window=timedelta(days=3)
)

PUBLISHED_FILE = dg.AssetKey(["published", "northstar"])
