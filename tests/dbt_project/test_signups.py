"""Signups by language: every day of the chart is there."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from tests.dbt_project.harness import School, key


def test_days_without_a_signup_are_there_with_zero_for_every_language(tmp_path: Path) -> None:
    school = School(tmp_path)
    school.exported_at("2024-06-15 10:00:00")  # as of 16 June
    school.means(joined="signup")
    moments = {
        "a1": ("fr", datetime(2024, 5, 31, 22, 30)),  # 1 June in Paris
        "a2": ("fr", datetime(2024, 6, 1, 12)),
        "a3": (None, datetime(2024, 6, 15, 12)),
        "a4": ("en", datetime(2024, 6, 15, 23)),  # the as-of day, which has not begun to count
    }
    school.load_events(
        {"event_type": "joined", "event_at": at, "user_key": key(user), "spoken_language": language}
        for user, (language, at) in moments.items()
    )

    school.build_models("+agg_signups")

    rows = {
        (day, language): signups
        for day, language, signups in school.table(
            "acquisition.agg_signups", "date, language, signups"
        )
    }
    days = [date(2023, 6, 16) + timedelta(days=number) for number in range(366)]
    assert days[-1] == date(2024, 6, 15)
    assert set(rows) == {(day, language) for day in days for language in ("fr", "unknown")}
    assert {place: signups for place, signups in rows.items() if signups} == {
        (date(2024, 6, 1), "fr"): 2,
        (date(2024, 6, 15), "unknown"): 1,
    }
    assert school.query(
        "select min(date) filter (is_last_30_days), min(date) filter (is_last_12_months) "
        "from acquisition.agg_signups"
    ) == [(date(2024, 5, 17), date(2023, 6, 16))]


def test_an_older_signup_moves_the_first_day_back(tmp_path: Path) -> None:
    school = School(tmp_path)
    school.exported_at("2024-06-15 10:00:00")
    school.means(joined="signup")
    school.load_events(
        [{"event_type": "joined", "event_at": datetime(2022, 1, 1, 12), "user_key": key("a1")}]
    )

    school.build_models("+agg_signups")

    assert school.query(
        "select min(date), max(date), sum(signups) from acquisition.agg_signups"
    ) == [(date(2022, 1, 1), date(2024, 6, 15), 1)]
