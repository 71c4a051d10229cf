"""The analytics macros stop the compilation when an argument is wrong."""

from __future__ import annotations

import pytest

from tests.dbt_project.harness import School


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    return School(tmp_path_factory.mktemp("analytics"))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            "retention(start_event='true')",
            "retention: relation is 'None'; it takes events with learner_key, event_type, event_at",
        ),
        (
            "retention('x', start_event='')",
            "retention: start_event is ''; it takes an SQL condition",
        ),
        (
            "retention('x', start_event='true', return_event=3)",
            "retention: return_event is '3'; it takes an SQL condition",
        ),
        (
            "retention('x', start_event='true', period='year')",
            "retention: period is 'year'; it takes hour, day, week, month",
        ),
        (
            "retention('x', start_event='true', mode='within')",
            "retention: mode is 'within'; it takes on, on_or_after, brackets",
        ),
        (
            "retention_overall('x', start_event='true', clock='lunar')",
            "retention_overall: clock is 'lunar'; it takes calendar, rolling",
        ),
        (
            "retention('x', start_event='true', cohorts='weekly')",
            "retention: cohorts is 'weekly'; it takes first_time, recurring",
        ),
        (
            "retention('x', start_event='true', intervals=-1)",
            "retention: intervals is '-1'; it takes a whole number, 0 or more",
        ),
        (
            "retention('x', start_event='true', mode='brackets')",
            "retention: brackets is 'None'; it takes a list of [first interval, last interval]",
        ),
        (
            "retention('x', start_event='true', mode='brackets', brackets=[[1, 3], [3, 5]])",
            "retention: brackets is '[[1, 3], [3, 5]]'; it takes a list of",
        ),
        (
            "retention('x', start_event='true', brackets=[[1, 3]])",
            "with mode 'brackets' and no other",
        ),
        (
            "retention('x', start_event='true', week_start='tuesday')",
            "retention: week_start is 'tuesday'; it takes monday, sunday",
        ),
        (
            "retention('x', start_event='true', timezone='Europe/Atlantis')",
            "retention: timezone is 'Europe/Atlantis'; it takes a name of the time zone database",
        ),
        (
            "retention('x', start_event='true', as_of='2024-13-01')",
            "retention: as_of is '2024-13-01'; it takes a day such as '2024-03-31'",
        ),
        (
            "lifecycle('x', active_event='true', period='week', from_day='2024-03-31 10:00')",
            "lifecycle: from_day is '2024-03-31 10:00'; it takes a day such as '2024-03-31'",
        ),
        (
            "lifecycle('x', active_event='true', period='year')",
            "lifecycle: period is 'year'; it takes hour, day, week, month",
        ),
        (
            "stickiness('x', active_event='true', interval='week', period='week')",
            "stickiness: interval is 'week'; it takes day",
        ),
        (
            "stickiness('x', active_event='true', period='range', from_day='2024-03-31')",
            "stickiness: to_day is 'None'; it takes a day, since the period is a range",
        ),
        (
            "survival('x', 'segment', 'months', 'ended', min_at_risk=0)",
            "survival: min_at_risk is '0'; it takes a whole number, 1 or more",
        ),
        (
            "survival('x', 'segment', none, 'ended')",
            "survival: duration is 'None'; it takes an SQL expression",
        ),
        (
            "attribution('x', 'y', models=['last'], lookback_days=-1)",
            "attribution: lookback_days is '-1'; it takes a whole number, 0 or more",
        ),
        (
            "attribution('x', 'y', models=['last', 'best'], lookback_days=30)",
            "attribution: models is 'best'; it takes first, last, linear",
        ),
        (
            "attribution('x', 'y', models='last', lookback_days=30)",
            "attribution: models is 'last'; it takes a list of first, last, linear",
        ),
        (
            "funnel('x', [['a', 'true']], window_seconds=60)",
            "it takes a list of two to ten [name, condition]",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], window_seconds=0)",
            "funnel: window_seconds is '0'; it takes a whole number, 1 or more",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], 60, order='any')",
            "funnel: order is 'any'; it takes ordered, strict, unordered",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', '']], 60)",
            "funnel: steps (condition of step 2) is ''; it takes an SQL condition",
        ),
        (
            "funnel('x', [['a', 'true'], 'b'], 60)",
            "funnel: steps (step 2) is 'b'; it takes [name, condition]",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], 60, exclusions=[['true', 1, 3]])",
            "its to step is '3'; it takes a step of the funnel, 2 or less",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], 60, exclusions=[['true', 2, 2]])",
            "its to step is '2'; it takes a whole number, 3 or more",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], 60, hold_constant=3)",
            "funnel: hold_constant is '3'; it takes an SQL expression",
        ),
        (
            "funnel('x', [['a', 'true'], ['b', 'true']], 60, from_day=20240101)",
            "funnel: from_day is '20240101'; it takes a day",
        ),
    ],
)
def test_a_wrong_argument_stops_the_compilation_with_a_sentence(
    school: School, call: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError, match="Error parsing inline query"):
        school.run_sql(f"{{{{ {call} }}}}")
    assert sentence in capsys.readouterr().out
