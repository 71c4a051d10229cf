"""The gate before publishing: everything that was to be checked in this run was, and passed.

Dagster alone does not see to that: an asset downstream of dbt may run although a dbt test failed,
a failed check that is not blocking stops nothing, and a skipped check leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg
from dagster import AssetCheckSeverity, DagsterEventType

from orchestration.errors import PublishingError

_MOST_NAMED = 10


def refuse_unless_audited(
    instance: dg.DagsterInstance, run_id: str, expected: Iterable[dg.AssetCheckKey]
) -> None:
    """Raise unless every expected check ran in this run and no error-severity one failed.

    Args:
        instance: holds the run's events.
        run_id: the run that wants to publish.
        expected: all checks of what is published and of what it is made from.

    Raises:
        PublishingError: naming the checks that failed or did not run, or the steps that failed.
    """
    reasons: list[str] = []
    judged: set[dg.AssetCheckKey] = set()
    for entry in instance.all_logs(
        run_id, of_type={DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.STEP_FAILURE}
    ):
        event = entry.get_dagster_event()
        if event.event_type == DagsterEventType.STEP_FAILURE:
            reasons.append(f"step {event.step_key} failed")
            continue
        evaluation = event.asset_check_evaluation_data
        judged.add(evaluation.asset_check_key)
        if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
            reasons.append(f"{_name(evaluation.asset_check_key)} failed")
    reasons += [f"{_name(key)} did not run" for key in sorted(set(expected) - judged)]
    if reasons:
        more = len(reasons) - _MOST_NAMED
        named = "; ".join(reasons[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise PublishingError(
            f"Nothing was published, readers keep the old file: {named}. Correct the cause and run "
            "the whole job `rebuild`."
        )


def _name(key: dg.AssetCheckKey) -> str:
    return f"check {key.name} of {'/'.join(key.asset_key.path)}"
