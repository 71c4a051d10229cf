"""Own exports, the real job and the real rules of outcomes: what a late report does to the past."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.end_to_end.conftest import School, copy_repository, keep_only

SECRET = {"NORTHSTAR_SECRET": "a secret of the tests' own"}
KEPT = ("agg_career_outcomes", "fct_outcome_reports", "fct_career_outcomes", "loaded_files")
HEADER = (
    "Entry,Entered at,Learner number,Learner e-mail,Kind,Outcome,Outcome date,"
    "Learner credits the school,Would not have happened without the training\n"
)


def _entries(first: int, learners: range, outcome: date, entered: str) -> list[str]:
    return [
        f"e{first + number},{entered},L{learner},,outcome,New job,{outcome},yes,\n"
        for number, learner in enumerate(learners)
    ]


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    """Two months of a dozen outcomes each, published; then one learner's earlier job is entered."""
    folder = tmp_path_factory.mktemp("restated")
    school = School(copy_repository(folder / "repository", with_project=True), folder / "data")
    keep_only(school.repository, KEPT)
    coaches = school.settings.landing / "coaches"
    coaches.mkdir(parents=True)
    (coaches / "coach_entries_2025.csv").write_text(
        HEADER
        + "".join(_entries(1, range(1, 13), date(2024, 3, 1), "02/05/2025 10:00"))
        + "".join(_entries(50, range(50, 62), date(2023, 6, 1), "02/05/2025 10:00"))
    )
    first = school.run(**SECRET)
    assert first.returncode == 0, first.stderr
    (coaches / "coach_entries_late.csv").write_text(
        HEADER + "".join(_entries(90, range(1, 2), date(2023, 6, 1), "10/06/2025 10:00"))
    )
    second = school.run(**SECRET)
    assert second.returncode == 0, second.stderr
    assert _head(school) in second.stdout.replace("\n", "")
    return school


def _head(school: School) -> str:
    files = sorted((school.data / "state" / "published" / "own").iterdir())
    return hashlib.sha256(files[-1].read_bytes()).hexdigest()


def test_an_earlier_outcome_that_comes_late_takes_the_place_of_a_counted_one_and_is_logged(
    school: School,
) -> None:
    assert school.query(
        """
        select outcome_date, decision, count(*) from outcomes.fct_outcome_reports
        group by all order by all
        """
    ) == [
        (date(2023, 6, 1), "counted", 13),
        (date(2024, 3, 1), "counted", 11),
        (date(2024, 3, 1), "within_12_months", 1),
    ]
    assert school.query(
        """
        select month, old_value, new_value, change, cause, cause_change, reports, month_was_over,
            standing_since_publication_id < publication_id
        from outcomes.restatements where breakdown = 'total' order by month
        """
    ) == [
        (date(2023, 6, 1), 12, 13, 1, "late_arrival", 1, 1, True, True),
        (date(2024, 3, 1), 12, 11, -1, "late_arrival", -1, 1, True, True),
    ]


def test_what_was_published_before_can_be_shown(school: School) -> None:
    assert school.query(
        """
        select value, published_until is null from outcomes.published_history
        where month = date '2024-03-01' and breakdown = 'total' order by published_at
        """
    ) == [(12, False), (11, True)]


def test_the_publication_names_the_head_and_the_check_has_passed(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    assert school.query("select chain_entries, chain_head from ops.published_at") == [
        (2, _head(school))
    ]
    monkeypatch.setenv("DAGSTER_HOME", str(school.settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["published", "northstar"]))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert metadata["chain_head"].value == _head(school)
        plotted = instance.get_latest_materialization_event(
            dg.AssetKey(["outcomes", "agg_career_outcomes"])
        )
        assert plotted is not None
        assert plotted.asset_materialization is not None
        plot = plotted.asset_materialization.metadata["Counted outcomes by month, against the goal"]
        assert str(plot.value).startswith("![Counted outcomes")
        checks = {
            entry.dagster_event.asset_check_evaluation_data.check_name: (
                entry.dagster_event.asset_check_evaluation_data.passed
            )
            for entry in instance.all_logs(
                event.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
            if entry.dagster_event is not None
        }
    assert checks["published_past_is_unchanged"] is True


def test_a_changed_past_fails_the_check_and_a_run_with_nothing_new(
    school: School, tmp_path: Path
) -> None:
    from orchestration.defs.publish.assets import _check_chain
    from orchestration.defs.run import RebuildRun

    copy = school.copy_data(tmp_path / "data")
    first = copy.data / "state" / "published" / "own" / "000001.json"
    entry = json.loads(first.read_bytes())
    entry["figures"][0]["value"] = 1_000_000
    first.chmod(0o600)
    first.write_text(json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n")

    run: Any = SimpleNamespace(settings=copy.settings, school="own")
    result = _check_chain(cast("RebuildRun", run))
    assert not result.passed
    assert "Entry 1 or the link to it was changed" in (result.description or "")
    refused = copy.run(**SECRET)
    assert refused.returncode == 1
    assert "Entry 1 or the link to it was changed" in refused.stderr
    assert "Traceback" not in refused.stderr
