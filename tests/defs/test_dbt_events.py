"""Results of dbt's tests become what Dagster itself would make of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.transform.events import EventConverter
from orchestration.defs.transform.project import translator

MART = dg.AssetKey("mart")
RESULTS = (
    dg.AssetCheckResult(passed=True, asset_key=MART, check_name="fits", metadata={"rows": 0}),
    dg.AssetCheckResult(
        passed=False,
        asset_key=MART,
        check_name="warns",
        severity=dg.AssetCheckSeverity.WARN,
        description="two rows",
        metadata={"rows": 2},
    ),
    dg.AssetCheckResult(passed=False, asset_key=MART, check_name="stops"),
)
SPECS = [
    dg.AssetCheckSpec("fits", asset=MART),
    dg.AssetCheckSpec("warns", asset=MART),
    dg.AssetCheckSpec("stops", asset=MART, blocking=True),
]


class Quick(EventConverter):
    """The converter of a step, given results as they are."""

    def judge(self, result: dg.AssetCheckResult) -> Iterator[Any]:
        return self._judged(result)


class Usual(Quick):
    def judge(self, result: dg.AssetCheckResult) -> Iterator[Any]:
        yield result


def run(converter: type[Quick], tmp_path: Path, only: str | None = None) -> dict[str, Any]:
    """What a run that converts the results leaves: evaluations, outputs, and what went on after."""

    @dg.multi_asset(
        outs={"mart": dg.AssetOut(key=MART, is_required=False)},
        check_specs=SPECS,
        can_subset=True,
    )
    def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        empty: Mapping[str, Any] = {}
        convert = converter(context, empty, translator, tmp_path, {})
        yield dg.Output(None, "mart")
        for result in RESULTS:
            if only is None or result.check_name == only:
                yield from convert.judge(result)

    @dg.asset(deps=[MART])
    def published() -> None: ...

    job = dg.Definitions([models, published]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
        entries = [entry for entry in instance.all_logs(done.run_id) if entry.is_dagster_event]
        events = [entry.get_dagster_event() for entry in entries]
        checks = [event.event_specific_data for event in events if "CHECK_EVAL" in str(event)]
        return {
            "kinds": [(event.event_type_value, event.step_key) for event in events],
            "judged": [_told(check) for check in checks if isinstance(check, _Evaluation)],
            "succeeded": done.success,
        }


_Evaluation = dg.AssetCheckEvaluation


def _told(check: dg.AssetCheckEvaluation) -> tuple[Any, ...]:
    target = check.target_materialization_data
    return (
        check.asset_check_key,
        check.passed,
        check.severity,
        check.description,
        check.blocking,
        check.metadata,
        check.partition,
        target is not None and target.storage_id,
    )


@pytest.mark.parametrize("only", [None, "fits"])
def test_the_same_evaluations_outputs_and_consequences(tmp_path: Path, only: str | None) -> None:
    usual, quick = run(Usual, tmp_path, only), run(Quick, tmp_path, only)

    assert quick == usual
    assert quick["succeeded"] is (only == "fits")
    assert len(quick["judged"]) == (3 if only is None else 1)
    assert ("STEP_OUTPUT", "models") in quick["kinds"]


def test_another_dagster_does_it_itself() -> None:
    converter = Quick.__new__(Quick)
    converter._context = None  # type: ignore[assignment]
    assert list(converter.judge(RESULTS[0])) == [RESULTS[0]]
