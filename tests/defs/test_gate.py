"""What keeps a run from publishing, with real runs of small jobs."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.defs.publish.gate import refuse_unless_audited
from orchestration.errors import PublishingError

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
MART = dg.AssetKey("mart")
EXPECTED = {dg.AssetCheckKey(MART, "first"), dg.AssetCheckKey(MART, "second")}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: dg.DagsterInstance, *results: dg.AssetCheckResult, fails: bool = False) -> str:
    """A run in which checks had these results, and a step failed or not. None of them blocks."""

    @dg.multi_asset(
        specs=[dg.AssetSpec(MART)],
        check_specs=[dg.AssetCheckSpec(key.name, asset=MART) for key in sorted(EXPECTED)],
        can_subset=True,
    )
    def build() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield dg.MaterializeResult(asset_key=MART)
        yield from results
        if fails:
            raise ValueError("after the checks")

    job = dg.Definitions([build]).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, raise_on_error=False).run_id


def result(
    name: str, *, passed: bool, severity: dg.AssetCheckSeverity = ERROR
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(check_name=name, asset_key=MART, passed=passed, severity=severity)


def test_a_run_whose_checks_all_passed_may_publish(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, result("first", passed=True), result("second", passed=True))

    refuse_unless_audited(instance, run_id, EXPECTED)


def test_a_warning_does_not_stop_it(instance: dg.DagsterInstance) -> None:
    run_id = run(
        instance,
        result("first", passed=True),
        result("second", passed=False, severity=WARN),
    )

    refuse_unless_audited(instance, run_id, EXPECTED)


def test_a_failed_check_that_does_not_block_stops_it(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, result("first", passed=True), result("second", passed=False))
    assert instance.get_run_by_id(run_id).is_success  # type: ignore[union-attr]

    with pytest.raises(PublishingError, match="check second of mart failed"):
        refuse_unless_audited(instance, run_id, EXPECTED)


def test_a_check_that_did_not_run_stops_it(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, result("first", passed=True))

    with pytest.raises(PublishingError, match="check second of mart did not run"):
        refuse_unless_audited(instance, run_id, EXPECTED)


def test_checks_of_another_run_do_not_count(instance: dg.DagsterInstance) -> None:
    run(instance, result("first", passed=True), result("second", passed=True))
    run_id = run(instance, result("second", passed=True))

    with pytest.raises(PublishingError, match="check first of mart did not run"):
        refuse_unless_audited(instance, run_id, EXPECTED)


def test_a_failed_step_stops_it_although_all_checks_passed(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, result("first", passed=True), result("second", passed=True), fails=True)

    with pytest.raises(PublishingError, match="step build failed"):
        refuse_unless_audited(instance, run_id, EXPECTED)
