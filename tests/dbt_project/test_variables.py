"""A school may set the variables as it likes; its build must not fail for that."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tests.dbt_project.harness import School, key


def test_all_tests_pass_in_another_zone_with_other_weeks_and_another_day(tmp_path: Path) -> None:
    school = School(tmp_path, reporting_timezone="Pacific/Auckland", week_start="sunday")
    school.exported_at("2024-04-20 00:00:00")
    school.means(lesson="learning")
    lesson = {"event_type": "lesson", "user_key": key("a1")}
    school.load_events([lesson | {"event_at": datetime(2024, 3, day, 12)} for day in (2, 5)])

    result = school.build(as_of="2024-03-04", grace_period_days=3, min_at_risk=2)

    # Unit tests name the variables that they depend on.
    assert any(node.resource_type == "unit_test" for node in result.nodes)
    # 12:00 UTC is the next day in Auckland; Sunday the 3rd begins a week; the 6th is not counted.
    assert school.query(
        "select cohort, interval_index, cohort_size from retention.agg_retention "
        "where definition = 'learning_weekly'"
    ) == [(datetime(2024, 3, 3).date(), 0, 1)]
